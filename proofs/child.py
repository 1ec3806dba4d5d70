"""Runs experiments in this process, and prints a line of JSON: name and fingerprint, or why not.

python -m proofs.child SEED NAME ...    # in an order that depends on the seed
"""

import asyncio
import json
import logging
import random
import sys
from collections.abc import AsyncIterator, Sequence

from tests.experiments import EXPERIMENTS, print_of

SKIPPED = "skipped: "


async def prints(seed: int, names: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
    """Run experiments, shuffled: what one leaves behind must not show in another."""
    logging.disable()
    for name in random.Random(seed).sample(names, len(names)):
        try:
            trace = await EXPERIMENTS[name].run()
        except ModuleNotFoundError as missing:
            yield name, f"{SKIPPED}no module {missing.name}"
        except Exception as error:
            yield name, f"{type(error).__name__}: {error}"
        else:
            yield name, print_of(trace)


async def tell(seed: int, names: Sequence[str]) -> None:
    """Print a line for each."""
    async for line in prints(seed, names):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    asyncio.run(tell(int(sys.argv[1]), sys.argv[2:]))
