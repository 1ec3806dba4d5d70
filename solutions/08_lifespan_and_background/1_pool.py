"""08.1  Open and close a pool, once in the app's life.

`live` is called with the lifespan's scope. Have the pool open before the first request, and closed
after the last:

    await pool.open()       takes a while, and may raise
    await pool.close()      closes all that is open, also of a pool that is half open

Requests look for it in the state: `scope["state"]["pool"]`. If the pool does not open, say so with
`lifespan.startup.failed`, with the error as its `message`; and leave nothing open.

Check yourself: asgi-lab check 08.1
"""


async def live(pool, scope, receive, send):
    assert scope["type"] == "lifespan"
    # TODO: receive lifespan.startup, open, answer; receive lifespan.shutdown, close, answer.
    # your code begins
    await receive()
    try:
        await pool.open()
    except Exception as error:
        await pool.close()
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
    # your code ends
