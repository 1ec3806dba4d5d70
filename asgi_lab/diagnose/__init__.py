"""What is wrong, where, and what to do: a trace read as an experienced colleague would read it.

    trace.diagnose()        # or diagnose(trace)

diagnosis   what is found: id, sentence, line, cause, remedy
evidence    a trace sorted for those who look
loop, pools, streams, messages, lifespan, websockets, proxy, afterwards
            a family each, a function a diagnosis: evidence in, diagnoses out
settling    of what was found, the causes without their consequences
catalogue   each told in full, for `asgi-lab explain`

A healthy app gets silence. So each asks for much evidence, and says nothing in doubt.
"""

from collections.abc import Callable, Iterable

from asgi_lab.diagnose import (
    afterwards,
    lifespan,
    loop,
    messages,
    pools,
    proxy,
    streams,
    websockets,
)
from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnoses, Diagnosis, worst_first
from asgi_lab.diagnose.evidence import Evidence
from asgi_lab.diagnose.settling import settled
from asgi_lab.events import Trace
from asgi_lab.garbage import uncollected

__all__ = ["DIAGNOSES", "NOTE", "WARNING", "Diagnoses", "Diagnosis", "diagnose"]

Find = Callable[[Evidence], Iterable[Diagnosis]]

DIAGNOSES: dict[str, Find] = {
    "LOOP-BLOCKED": loop.loop_blocked,
    "THREADPOOL-FULL": pools.threadpool_full,
    "STREAM-BUFFERED": streams.stream_buffered,
    "STREAM-NOT-STOPPING": streams.stream_not_stopping,
    "DISCONNECT-IGNORED": streams.disconnect_ignored,
    "BODY-ALREADY-READ": messages.body_already_read,
    "LIFESPAN-NOT-REACHED": lifespan.lifespan_not_reached,
    "SHUTDOWN-HELD": lifespan.shutdown_held,
    "WS-CLOSE-EXPLAINED": websockets.ws_close_explained,
    "PROXY-MISMATCH": proxy.proxy_mismatch,
    "AFTER-RESPONSE": afterwards.after_the_response,
    "BAD-SEQUENCE": messages.bad_sequence,
}
"""Who looks for what."""


def diagnose(trace: Trace) -> Diagnoses:
    """Return what is wrong in a trace, the worst first; each thing once, with a count."""
    with uncollected():
        evidence = Evidence(trace)
        found = [one for find in DIAGNOSES.values() for one in find(evidence)]
        return worst_first(settled(found))
