"""Behind a proxy: who the client is when the connection comes from someone in between.

A proxy says so in `X-Forwarded-For` and `X-Forwarded-Proto`. Anybody can send these headers, so
they count only if they come from an address that is trusted to tell the truth.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from asgi_lab.server.request import Request


class Proxies:
    """The addresses and networks that are trusted; `*` trusts everybody.

    >>> Proxies(["10.0.0.0/8"]).trusts("10.1.2.3")
    True

    Raises ValueError for what is no network.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        names = set(trusted)
        self._all = "*" in names
        self._networks = [ip_network(name) for name in names - {"*"}]

    def trusts(self, host: str) -> bool:
        """Return whether this host is trusted. A Unix socket has none, and needs `*`."""
        if self._all or not self._networks:
            return self._all
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def client(self, request: Request, host: str) -> str:
        """Return the host of the client: the last one in the chain that is not a proxy itself."""
        if not self.trusts(host):
            return host
        chain = [value.decode("latin-1") for value in request.values(b"x-forwarded-for")]
        strangers = [hop for hop in chain if not self.trusts(hop)]
        return strangers[-1] if strangers else chain[0] if chain else host

    def scheme(self, request: Request, host: str, scheme: str) -> str:
        """Return the scheme that the client used."""
        said = request.values(b"x-forwarded-proto") if self.trusts(host) else []
        return said[-1].decode("latin-1") if said and said[-1] in (b"http", b"https") else scheme
