"""Always waits as long as it may."""

import asyncio


async def ask_all(questions, within):
    tasks = [asyncio.create_task(question) for question in questions]
    await asyncio.sleep(within)
    for task in tasks:
        task.cancel()
    return [task.result() if task.done() else None for task in tasks]
