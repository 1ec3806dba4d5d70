"""A proxy and an app that do not agree on the path, or on the scheme."""

from collections.abc import Iterator
from typing import Any

from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnosis, Severity
from asgi_lab.diagnose.evidence import Call, Evidence, numbers, times
from asgi_lab.message import header
from asgi_lab.plain import clean


def proxy_mismatch(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find paths with a prefix twice, and https that the app takes for http."""
    doubled = [
        (call, root) for call in evidence.of("http", "websocket") if (root := doubled_root(call))
    ]
    if doubled:
        yield prefix_twice(doubled)
    plain = [call for call in evidence.of("http", "websocket") if taken_for_plain(call)]
    if plain:
        yield https_lost(plain)


def doubled_root(call: Call) -> str:
    """Return the root_path that stands twice at the begin of a path that was not found."""
    if call.status != 404 and not (call.type == "websocket" and call.sent("websocket.close")):
        return ""
    for event in call.at_any("scope"):
        path, root = event.data.get("path"), event.data.get("root_path")
        if not isinstance(path, str) or not isinstance(root, str):
            continue
        root = root.rstrip("/")
        if root and f"{path}/".startswith(f"{root}{root}/"):
            return root
    return ""


def prefix_twice(doubled: list[tuple[Call, str]]) -> Diagnosis:
    """Tell of paths with a prefix twice."""
    call, root = doubled[0]
    scope = next(
        e for e in call.at_any("scope")
        if f"{e.data.get('path')}/".startswith(f"{root}{root}/")
    )  # fmt: skip
    path = clean(scope.data["path"])
    return Diagnosis(
        "PROXY-MISMATCH",
        WARNING,
        f"{path} was not found ({numbers(c.conn for c, _ in doubled)}): both the proxy's path and "
        f"root_path bring {clean(root)}.",
        f"root_path says what the proxy has cut off; servers put it in front of the path again. "
        f"This proxy cuts nothing off, so {clean(root)} stands there twice.",
        f"Let the proxy strip {clean(root)} (Nginx: `proxy_pass http://app/;` with the slash; "
        "Traefik: stripprefix), or set no root_path.",
        tuple(c.conn for c, _ in doubled),
        (scope.seq,),
        request=call.request,
        count=len(doubled),
    )


def taken_for_plain(call: Call) -> bool:
    """Return whether the proxy says https, and the server says http to the app."""
    data = call.scope.data
    told = header(data.get("headers"), "x-forwarded-proto").split(",")[0].strip().lower()
    knows = redirected(call).startswith("https://")  # Django's SECURE_PROXY_SSL_HEADER
    return told in ("https", "wss") and data.get("scheme") in ("http", "ws") and not knows


def https_lost(calls: list[Call]) -> Diagnosis:
    """Tell of requests that came by https, and that the app takes for http."""
    sent_back = [(call, to) for call in calls if (to := redirected(call)).startswith("http://")]
    call, to = sent_back[0] if sent_back else (calls[0], "")
    severity: Severity = WARNING if sent_back else NOTE
    harm = f"so it redirected the client to {clean(to)}" if to else (
        "so every absolute URL that it makes begins with http://, unless a middleware corrects it"
    )  # fmt: skip
    start = call.sent("http.response.start")
    return Diagnosis(
        "PROXY-MISMATCH",
        severity,
        f"{call.label} came by https (x-forwarded-proto), and scope['scheme'] says "
        f"{clean(call.scope.data['scheme'])}: the server does not trust this proxy, {harm}"
        f"{f'; {times(len(calls))}' if len(calls) > 1 else ''}.",
        "Servers believe forwarded headers only of proxies that they are told to trust; by default "
        "of none, or of 127.0.0.1. In a container the proxy has another address.",
        "Name the proxy: `uvicorn --forwarded-allow-ips 10.0.0.5` (or '*' where nobody else can "
        "connect), `daphne --proxy-headers`; with Hypercorn wrap the app: "
        "`hypercorn.middleware.ProxyFixMiddleware(app)`, with Granian "
        '`granian.utils.proxies.wrap_asgi_with_proxy_headers(app, trusted_hosts="10.0.0.5")`.',
        tuple(one.conn for one in calls),
        tuple(e.seq for e in (call.scope, start) if e is not None),
        request=call.request,
        count=len(calls),
    )


def redirected(call: Call) -> str:
    """Return where a response sends its client."""
    start = call.sent("http.response.start")
    headers: Any = start.data.get("headers") if start is not None else None
    return header(headers, "location")
