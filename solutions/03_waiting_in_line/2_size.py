"""03.2  Size the pool: enough workers, and no more.

At nine o'clock, `requests` people ask for the report, all at the same moment. One report keeps a
worker busy for `seconds`. How many workers are needed, so that the last person has the report
after `within` seconds? Return the least number that is enough.

    workers_for(20, 1, 5)      20 reports of 1 s, within 5 s
    4

All three numbers are whole. If no number of workers is enough, raise ValueError.

Check yourself: asgi-lab check 03.2
"""


def workers_for(requests, seconds, within):
    # TODO: how many reports can one worker make in that time? And how many workers then?
    # your code begins
    each = within // seconds
    if each == 0:
        raise ValueError(f"one report alone takes {seconds} s, longer than {within} s")
    return -(-requests // each)
    # your code ends
