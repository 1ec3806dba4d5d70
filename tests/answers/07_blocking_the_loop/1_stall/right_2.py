"""A plain def: the framework runs it in a thread, which has a loop of its own."""

import asyncio
import time


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


def total(customer):
    async def prices():
        return [await ask_price(order) for order in find_orders(customer)]

    return sum(asyncio.run(prices()))
