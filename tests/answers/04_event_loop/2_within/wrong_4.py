"""In the order in which they come."""

import asyncio


async def ask_all(questions, within):
    tasks = [asyncio.create_task(question) for question in questions]
    answers = []
    try:
        for next_one in asyncio.as_completed(tasks, timeout=within):
            answers.append(await next_one)
    except TimeoutError:
        pass
    for task in tasks:
        task.cancel()
    return answers + [None] * (len(tasks) - len(answers))
