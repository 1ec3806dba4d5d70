"""h2, made ready: what it is told, and what it is not told, at the start of a connection.

h2 keeps the states of streams, the windows, and the compression of headers. Where it is stricter
than RFC 9113, or more generous than a server can afford, it is set right here, through what it
offers: its configuration, its settings, its decoder.
"""

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import Decoder, HPACKError, OversizedHeaderListError

from asgi_lab.server.http2_frames import PREFACE
from asgi_lab.server.request import Headers

WINDOW = 65_535
"""Bytes that a client may send before it has heard of any other window: section 6.9.2."""

LARGEST = 2**31 - 1
"""The largest window, and the largest number of a stream: sections 5.1.1 and 6.9.1."""


class CompressionError(ProtocolError):
    """A header block that cannot be decoded: section 4.3."""

    error_code = ErrorCodes.COMPRESSION_ERROR


class Fields(Decoder):
    """Keeps the fields that it has decoded last, and hides Content-Length from h2.

    h2 ends the connection for a body of another length; the RFC ends its stream (section 8.1.1).
    """

    def __init__(self, most: int) -> None:
        super().__init__(max_header_list_size=most)
        self.last: Headers = []

    def decode(self, data: bytes, raw: bool = False) -> Any:
        """Return the fields, as bytes. Raises `CompressionError`; hpack's error for too much."""
        try:
            decoded = list(super().decode(data, raw=True))
        except OversizedHeaderListError:
            raise
        except HPACKError as error:
            raise CompressionError(f"no HPACK: {error}") from None
        self.last = [(bytes(name), bytes(value)) for name, value in decoded]
        return [field for field in self.last if field[0] != b"content-length"]

    @property
    def size(self) -> int:
        """Bytes of the last fields, as section 6.5.2 counts them."""
        return sum(len(name) + len(value) + 32 for name, value in self.last)


def begin(max_head: int, window: int, max_streams: int) -> tuple[H2Connection, Fields]:
    """Return a connection that has its SETTINGS to send, and its decoder.

    Up to four times `max_head` is decoded, so that too much can be answered; more is an error.
    """
    h2 = H2Connection(
        H2Configuration(
            client_side=False,
            header_encoding=None,
            # Done by `http2_request`, where what is wrong ends a stream only, and `http2_response`.
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    h2.decoder = fields = Fields(4 * max_head)
    settings = {
        SettingCodes.INITIAL_WINDOW_SIZE: window,
        SettingCodes.MAX_HEADER_LIST_SIZE: max_head,
        SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
    }
    h2.local_settings = Settings(client=False, initial_values=settings)
    h2.initiate_connection()
    h2.receive_data(PREFACE)  # looked at by `http2_frames`
    # h2 would end the connection for one stream too many, though the client may not have read yet
    # how many there may be. It hears of no limit; the session refuses the stream (section 5.1.2).
    del settings[SettingCodes.MAX_CONCURRENT_STREAMS]
    h2.local_settings = Settings(client=False, initial_values=settings)
    # No stream shall wait because the app is slow to take the body of another.
    more = min(window * max_streams, LARGEST) - WINDOW
    if more > 0:
        h2.increment_flow_control_window(more)
    return h2, fields
