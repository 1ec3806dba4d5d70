"""As a framework does it: a context around the time between."""

from contextlib import asynccontextmanager


@asynccontextmanager
async def opened(pool):
    try:
        await pool.open()
        yield pool
    finally:
        await pool.close()


async def live(pool, scope, receive, send):
    await receive()
    phase = "startup"
    try:
        async with opened(pool) as scope["state"]["pool"]:
            await send({"type": "lifespan.startup.complete"})
            phase = "shutdown"
            await receive()
    except Exception as error:
        await send({"type": f"lifespan.{phase}.failed", "message": repr(error)})
    else:
        await send({"type": "lifespan.shutdown.complete"})
