"""One after the other."""

import asyncio


async def ask_all(questions, within):
    answers = []
    for question in questions:
        try:
            answers.append(await asyncio.wait_for(question, within))
        except TimeoutError:
            answers.append(None)
    return answers
