"""It raises what the pool raises."""


async def live(pool, scope, receive, send):
    await receive()
    await pool.open()
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
