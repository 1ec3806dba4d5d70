"""Running a target on a real server, traced.

    command ── starts ──> server process ── imports ──> hosted:app = trace(target)
       ^                                                     │
       └────────────── collector <── records ────────────────┘

The server is always a child process, started as its own command line would start it: so the app
may block, crash or be killed, and the terminal stays alive.
"""
