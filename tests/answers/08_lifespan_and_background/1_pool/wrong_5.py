"""It forgets what is half open."""


async def live(pool, scope, receive, send):
    await receive()
    try:
        await pool.open()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
