"""07.1  Fix the stall: the same answers, and nobody waits.

A shop. `find_orders` is a driver of a database: a plain `def` that blocks, and there is no other
version of it. `ask_price` asks a service, and awaits. Leave both as they are.

`total_that_stalls` is a page of the shop as it is today: its answers are right, and while it asks
the database, the whole shop stands still. Write `total`, with the same answers. Nothing may hold
the event loop for more than 50 ms, and ten customers at once must not wait for one another.

Check yourself: asgi-lab check 07.1
"""

import asyncio
import time


def find_orders(customer):  # leave this as it is
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):  # and this
    await asyncio.sleep(0.1)
    return 10 * order


async def total_that_stalls(customer):
    prices = [await ask_price(order) for order in find_orders(customer)]
    return sum(prices)


async def total(customer):
    # TODO: the same, but let the driver wait where it holds up nobody.
    # your code begins
    orders = await asyncio.to_thread(find_orders, customer)
    prices = [await ask_price(order) for order in orders]
    return sum(prices)
    # your code ends
