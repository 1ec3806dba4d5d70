"""Sessions: a dict for each client, kept by the client itself, in a signed cookie.

    request.session["user"] = "ada"

The cookie holds the data as JSON, the time, and an HMAC of both: who does not have the secret
cannot change it, but anyone can read it. Nothing is stored here, so nothing can be revoked
either: a session ends when it expires, or when the client forgets it.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any

from asgi_lab.framework.headers import Headers, changed, parse_cookies
from asgi_lab.framework.responses import cookie
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

LIMIT = 4096  # bytes that a browser keeps of a cookie, at least (RFC 6265, section 6.1)


class Sessions:
    """Puts `session` into the scope, and sets the cookie when what it holds has changed.

    `secret` is at least 16 characters that nobody can guess; given several, the first one signs and
    all are accepted, so that they can be changed. `max_age` is in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        secret: str | Sequence[str],
        *,
        name: str = "session",
        max_age: int = 14 * 24 * 60 * 60,
        secure: bool = False,
        samesite: str = "lax",
    ) -> None:
        self.app = app
        self.secrets = [secret] if isinstance(secret, str) else list(secret)
        if not self.secrets or min(map(len, self.secrets)) < 16:
            raise ValueError("a secret has at least 16 characters: secrets.token_urlsafe() is one")
        self.name = name
        self.max_age = max_age
        self.secure = secure
        self.samesite = samesite

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app with a session."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        cookies = parse_cookies("; ".join(Headers(scope["headers"]).all("cookie")))
        came = cookies.get(self.name, "")
        session = self.load(came)
        before = to_json(session)

        async def keeping_send(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                headers = Headers(message.get("headers", ()))
                after = to_json(session)
                if came or after != before:
                    headers.vary("cookie")
                if after != before:
                    headers.add("set-cookie", self.line(after if session else ""))
                message = changed(message, headers)
            await send(message)

        await self.app({**scope, "session": session}, receive, keeping_send)

    def line(self, data: str) -> str:
        """Return the cookie for a session; an empty one is forgotten."""
        value = self.sign(data) if data else ""
        if len(value) > LIMIT - 200:  # the rest is for its name and attributes
            raise ValueError(f"the session is too large for a cookie: {len(value)} bytes")
        age = self.max_age if data else 0
        secure, samesite = self.secure, self.samesite
        return cookie(
            self.name, value, max_age=age, httponly=True, secure=secure, samesite=samesite
        )

    def sign(self, data: str) -> str:
        """Return `data.time.signature`."""
        text = base64.urlsafe_b64encode(data.encode()).decode()
        signed = f"{text}.{int(time.time())}"
        return f"{signed}.{signature(self.secrets[0], signed)}"

    def load(self, value: str) -> dict[str, Any]:
        """Return the session of a cookie: an empty one unless it is ours, and not too old."""
        signed, _, given = value.rpartition(".")
        text, _, when = signed.rpartition(".")
        # compare_digest takes as long for a wrong first letter as for a wrong last one.
        mac = given.encode()
        ours = [hmac.compare_digest(signature(s, signed).encode(), mac) for s in self.secrets]
        if not any(ours):
            return {}
        try:
            if time.time() - int(when) >= self.max_age:
                return {}
            found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
        except ValueError:  # signed with our secret, but not by this class
            return {}
        return found


def signature(secret: str, text: str) -> str:
    """Return the HMAC of a text. The name in the key keeps other uses of the secret apart."""
    key = hashlib.sha256(b"asgi_lab.framework.sessions" + secret.encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def to_json(session: dict[str, Any]) -> str:
    """Return a session as JSON: also what changed deep inside of it is seen there."""
    return json.dumps(session, separators=(",", ":"))
