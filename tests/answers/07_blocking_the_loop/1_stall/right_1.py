"""In the loop's own pool, and the prices all at once."""

import asyncio
import time


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


async def total(customer):
    loop = asyncio.get_running_loop()
    orders = await loop.run_in_executor(None, find_orders, customer)
    return sum(await asyncio.gather(*map(ask_price, orders)))
