"""Cancels nobody."""

import asyncio


async def ask_all(questions, within):
    tasks = [asyncio.create_task(question) for question in questions]
    done, _ = await asyncio.wait(tasks, timeout=within)
    return [task.result() if task in done else None for task in tasks]
