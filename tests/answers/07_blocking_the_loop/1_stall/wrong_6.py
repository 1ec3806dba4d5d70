"""A turn for others first; and then everybody waits."""

import asyncio
import time


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


async def total(customer):
    await asyncio.sleep(0)
    return sum([await ask_price(order) for order in find_orders(customer)])
