"""It does not say why."""


async def live(pool, scope, receive, send):
    await receive()
    try:
        await pool.open()
    except Exception:
        await pool.close()
        await send({"type": "lifespan.startup.failed"})
        return
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
