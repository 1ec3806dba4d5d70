"""A time-out around all of it."""

import asyncio


async def ask_all(questions, within):
    return await asyncio.wait_for(asyncio.gather(*questions), within)
