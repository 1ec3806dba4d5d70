"""It keeps the pool where no request finds it."""


async def live(pool, scope, receive, send):
    await receive()
    await pool.open()
    scope["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
