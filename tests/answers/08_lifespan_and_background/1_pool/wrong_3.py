"""It never closes."""


async def live(pool, scope, receive, send):
    await receive()
    await pool.open()
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
