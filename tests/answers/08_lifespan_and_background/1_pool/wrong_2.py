"""It does not wait for the end."""


async def live(pool, scope, receive, send):
    await receive()
    try:
        await pool.open()
    except Exception as error:
        await pool.close()
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    scope["state"]["pool"] = pool
    await send({"type": "lifespan.startup.complete"})
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
