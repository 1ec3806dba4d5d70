"""A loop over the messages."""


async def live(pool, scope, receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await pool.open()
            except ConnectionError as error:
                await send({"type": "lifespan.startup.failed", "message": f"sorry: {error}"})
                await pool.close()
                return
            scope["state"].update(pool=pool)
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
