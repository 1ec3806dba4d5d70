"""One task after the other."""

import time


def run(*tasks):
    for task in tasks:
        for wish in task:
            if wish is not None:
                time.sleep(wish)
