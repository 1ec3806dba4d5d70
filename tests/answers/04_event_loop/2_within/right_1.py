"""A time-out for each, and gather."""

import asyncio


async def ask(question, within):
    try:
        return await asyncio.wait_for(question, within)
    except TimeoutError:
        return None


async def ask_all(questions, within):
    return await asyncio.gather(*(ask(question, within) for question in questions))
