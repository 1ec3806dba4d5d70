"""A thread that the loop waits for."""

import asyncio
import threading
import time


def find_orders(customer):
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):
    await asyncio.sleep(0.1)
    return 10 * order


async def total(customer):
    found = []
    thread = threading.Thread(target=lambda: found.extend(find_orders(customer)))
    thread.start()
    thread.join()
    return sum([await ask_price(order) for order in found])
