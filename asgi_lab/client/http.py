"""HTTP requests through httpx, each as if it were alone."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from asgi_lab.client.result import Progress

# Shorter than any common server's patience (Gunicorn 2 s, Uvicorn 5 s): a connection that the
# server is just closing must not be chosen for the next request.
KEEP_ALIVE = 1.0


def open_client() -> httpx.AsyncClient:
    """Make a client that keeps one connection alive and carries nothing else over.

    No proxies or passwords from the environment, no redirects followed, no cookies kept: what the
    server sees is what was written. Time limits are the caller's.
    """
    client = httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        verify=False,  # there is no https here, and loading certificates takes long
        timeout=None,
        limits=httpx.Limits(max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"user-agent": "asgi-lab"},
    )
    del client.headers[
        "accept-encoding"
    ]  # nobody here unpacks: let bodies come as the app made them
    return client


IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that may be sent again (RFC 9110, section 9.2.2)."""


async def exchange(
    client: httpx.AsyncClient, base_url: str, progress: Progress, reused: bool = False
) -> None:
    """Send one request and read the whole answer, counting. Raises what httpx raises.

    A server may close a kept connection just when it is `reused` (Uvicorn does, after an app has
    raised). Then nobody has answered, and the request is sent once more (RFC 9112, section 9.3.1).
    """
    try:
        await _exchange(client, base_url, progress)
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        if not reused or progress.status is not None:
            raise
        if progress.request.method not in IDEMPOTENT:
            raise
        await _exchange(client, base_url, progress)


async def _exchange(client: httpx.AsyncClient, base_url: str, progress: Progress) -> None:
    request = progress.request
    headers = [(name.encode(), value.encode()) for name, value in request.headers]
    async with client.stream(
        request.method,
        base_url + request.path,
        headers=headers,
        content=request.body or None,
        extensions={"target": request.path.encode("ascii")},  # keeps "/a/../b" as written
    ) as response:
        progress.head(response.status_code)
        async for chunk in response.aiter_raw():
            progress.received += len(chunk)
