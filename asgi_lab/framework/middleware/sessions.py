"""Sessions: a dict for each client, kept by the client itself, in a signed cookie.

    request.session["user"] = "ada"

The cookie holds the data as JSON, the time, and a signature of both by `itsdangerous`: who does not
have the secret cannot change it, but anyone can read it. Nothing is stored here, so nothing can be
revoked either: a session ends when it expires, or when the client forgets it.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from asgi_lab.framework.cookies import format_cookie, parse_cookies
from asgi_lab.framework.headers import Headers, with_headers
from asgi_lab.types import ASGIApp, Receive, Scope, Send

ROOM = 4096 - 200
"""Bytes for the value: a browser keeps 4096 of a cookie, name and attributes included (RFC 6265,
section 6.1)."""


class Sessions:
    """Puts `session` into the scope, and sets the cookie when what it holds has changed.

    `secret` is at least 16 characters that nobody can guess; given several, the first one signs and
    all are accepted, so that they can be changed. `max_age` is in seconds. With `secure` the
    cookie is sent over HTTPS alone.

    Raises ModuleNotFoundError if `itsdangerous` is not installed.
    """

    def __init__(
        self,
        app: ASGIApp,
        secret: str | Sequence[str],
        *,
        name: str = "session",
        max_age: int = 14 * 24 * 60 * 60,
        secure: bool = False,
    ) -> None:
        try:
            from itsdangerous import TimestampSigner
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "sessions need itsdangerous: pip install 'asgi-lab[framework]'", name="itsdangerous"
            ) from None
        secrets = [secret] if isinstance(secret, str) else list(secret)
        if not secrets or min(map(len, secrets)) < 16:
            raise ValueError("a secret has at least 16 characters: secrets.token_urlsafe() is one")
        self.app = app
        self.name = name
        self.max_age = max_age
        self.secure = secure
        # The last one signs; the salt keeps other uses of the secret apart.
        self.signer = TimestampSigner(secrets[::-1], __name__, digest_method=hashlib.sha256)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app with a session."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        cookies = parse_cookies("; ".join(Headers(scope["headers"]).all("cookie")))
        came = cookies.get(self.name, "")
        session = self.load(came)
        before = json.dumps(session)

        def keep(headers: Headers) -> None:
            after = json.dumps(session)  # as text: also what has changed deep inside is seen
            if came or after != before:
                headers.vary("cookie")
            if after != before:
                headers.add("set-cookie", self.cookie(session))

        await self.app({**scope, "session": session}, receive, with_headers(send, keep))

    def load(self, value: str) -> dict[str, Any]:
        """Return the session of a cookie: an empty one unless it is ours, and not too old."""
        from itsdangerous import BadSignature

        try:  # a cookie as old as `max_age` is too old: the client should have forgotten it
            signed = self.signer.unsign(value, max_age=self.max_age - 1)
            found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed))
        except (BadSignature, ValueError):  # ValueError: signed with our secret, but not by us
            return {}
        return found

    def cookie(self, session: dict[str, Any]) -> str:
        """Return the cookie for a session; an empty one is forgotten."""
        data = base64.urlsafe_b64encode(json.dumps(session).encode())
        value = self.signer.sign(data).decode() if session else ""
        if len(value) > ROOM:
            raise ValueError(
                f"a session has at most {ROOM} bytes, got {len(value)}: keep an id in it, and the "
                "rest in a database"
            )
        age = self.max_age if session else 0
        return format_cookie(self.name, value, max_age=age, httponly=True, secure=self.secure)
