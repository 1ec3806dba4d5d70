"""The real things, kept before anything is replaced: the world itself runs on these."""

import _thread
import asyncio
import threading
import time

monotonic = time.monotonic
thread_time = getattr(time, "thread_time", time.perf_counter)  # a browser has no threads
allocate_lock = _thread.allocate_lock
get_ident = _thread.get_ident
Local = threading.local
start = threading.Thread.start
join = threading.Thread.join
is_alive = threading.Thread.is_alive
new_event_loop = asyncio.events.new_event_loop
LockType = type(_thread.allocate_lock())
RLockType = type(threading.RLock())
