"""It says that it is ready, and opens then."""


async def live(pool, scope, receive, send):
    await receive()
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await pool.open()
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
