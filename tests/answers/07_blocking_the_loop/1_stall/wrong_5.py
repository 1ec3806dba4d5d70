"""A pool of one thread: as good as no pool."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


pool = ThreadPoolExecutor(1)


async def total(customer):
    loop = asyncio.get_running_loop()
    orders = await loop.run_in_executor(pool, find_orders, customer)
    return sum([await ask_price(order) for order in orders])
