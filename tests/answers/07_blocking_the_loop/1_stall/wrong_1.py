"""An async def around it, as if that made it wait."""

import asyncio
import time


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


async def find_orders_async(customer):
    return find_orders(customer)


async def total(customer):
    prices = [await ask_price(order) for order in await find_orders_async(customer)]
    return sum(prices)
