"""The parentheses call it here."""

import asyncio
import time


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


async def total(customer):
    orders = await asyncio.to_thread(find_orders(customer))
    return sum([await ask_price(order) for order in orders])
