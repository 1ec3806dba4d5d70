"""It says that it has shut down, and closes then."""


async def live(pool, scope, receive, send):
    await receive()
    await pool.open()
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
    await pool.close()
