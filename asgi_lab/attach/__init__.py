"""Tracing servers that were started by their own commands, unchanged.

    ASGI_LAB_TRACE=1 uvicorn main:app        from the start, in each of its processes
    asgi-lab attach 4711                     one that runs already (Python 3.14)

places      where each server keeps the app that it calls
startup     read when Python starts, if the variable is set: waits for a server to be imported
telling     what such a process says on stderr
inside      what runs in a process that is attached to
attachment  the command's side of it
"""
