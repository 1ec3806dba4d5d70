"""Forgets to await."""

import asyncio


async def ask_all(questions, within):
    return asyncio.gather(*questions)
