"""04.2  All at once, but not for ever.

A page asks several services, and does not want to wait long for the slowest. Write a coroutine
function that asks all at the same time, and has an answer after `within` seconds at the latest:

    await ask_all([weather(), news(), mail()], within=2)
    ["sunny", None, "3 unread"]

It gets a list of coroutines, and returns a list of what they return, in the same order. For one
that has no answer in time there is None, and it is cancelled: nobody needs its answer any more.
When all have answered earlier, it does not wait longer.

Check yourself: asgi-lab check 04.2
"""

import asyncio


async def ask_all(questions, within):
    # TODO: begin all of them, wait for them together, cancel who is late.
    # your code begins
    tasks = [asyncio.create_task(question) for question in questions]
    _, late = await asyncio.wait(tasks, timeout=within)
    for task in late:
        task.cancel()
    return [None if task in late else task.result() for task in tasks]
    # your code ends
