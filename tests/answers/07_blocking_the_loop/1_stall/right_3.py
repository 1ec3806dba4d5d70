"""By anyio, as Starlette does."""

import asyncio
import time

from anyio import to_thread


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


async def total(customer):
    return sum([await ask_price(o) for o in await to_thread.run_sync(find_orders, customer)])
