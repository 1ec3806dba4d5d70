"""With as_completed, and a timer of its own that cancels."""

import asyncio


async def ask_all(questions, within):
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(question) for question in questions]
    alarms = [loop.call_later(within, task.cancel) for task in tasks]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for alarm in alarms:
        alarm.cancel()
    return [None if isinstance(a, asyncio.CancelledError) else a for a in answers]
