"""Apps that break a rule of HTTP."""

from typing import Any

from tests.driver import GONE, http, request
from tests.misbehaving.apps import END, START, breaks

PUSHING = http(extensions={"http.response.push": {}, "http.response.early_hint": {}})
SENDING = http(extensions={"http.response.pathsend": {}, "http.response.zerocopysend": {}})
DEBUGGED = http(extensions={"http.response.debug": {}})
TRAILING = http(extensions={"http.response.trailers": {}})
MORE = {"type": "http.response.body", "body": b"more", "more_body": True}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}


def headed(*headers: Any) -> dict[str, Any]:
    return {**START, "headers": list(headers)}


# --- the order of things -------------------------------------------------------------------------


@breaks("H1")
async def sends_the_body_first(scope: Any, receive: Any, send: Any) -> None:
    await send(END)  # <- H1
    await send(START)


@breaks("H1")
async def streams_without_a_start(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(3):
        await send(MORE)  # <- H1


@breaks("H2")
async def starts_twice(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(START)  # <- H2
    await send(END)


@breaks("H2")
async def answers_twice(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    await send({**START, "status": 500})  # <- H2


@breaks("H2")
async def starts_an_error_page_in_a_stream(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(MORE)
    try:
        raise LookupError("no more rows")
    except LookupError:
        await send({**START, "status": 500})  # <- H2
        await send(END)


@breaks("H10")
async def sends_no_body(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 204})  # <- H10


@breaks("H12")
async def sends_after_the_end(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    await send(END)  # <- H12


@breaks("H12")
async def forgets_more_body(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    for part in (b"one", b"two", b"three"):
        await send({"type": "http.response.body", "body": part})  # <- H12


@breaks("H13")
async def streams_without_an_end(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    for _ in range(3):
        await send(MORE)
    return  # <- H13


@breaks("H13")
async def leaves_a_stream_early(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(MORE)
    if scope["path"] == "/":
        return  # <- H13
    await send(END)


@breaks("H14")
async def says_nothing(scope: Any, receive: Any, send: Any) -> None:
    await receive()  # <- H14


@breaks("H14", scope=http("/elsewhere"))
async def knows_one_path(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/":  # <- H14
        await send(START)
        await send(END)


@breaks("H15")
async def fails_before_the_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError("no such row")  # <- H15


@breaks("H15")
async def fails_in_a_stream(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(MORE)
    raise LookupError("no such row")  # <- H15


@breaks("H15")
async def fails_after_the_end(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    raise LookupError("no such row")  # <- H15


@breaks("H19", incoming=[request(), GONE])
async def answers_who_has_left(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    await send(START)  # <- H19
    await send(END)


@breaks("H20", incoming=[request(), GONE, GONE, GONE])
async def listens_to_who_has_left(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    for _ in range(4):
        await receive()  # <- H20


# --- status --------------------------------------------------------------------------------------


@breaks("H3")
async def has_no_status(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "headers": []})  # <- H3
    await send(END)


@breaks("H3")
async def has_a_status_of_text(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": "200 OK"})  # <- H3
    await send(END)


@breaks("H3")
async def has_a_status_that_is_true(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": True})  # <- H3
    await send(END)


@breaks("H3")
async def has_a_status_that_is_no_int(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 200.0})  # <- H3
    await send(END)


@breaks("H4")
async def continues(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 100})  # <- H4
    await send(END)


@breaks("H4")
async def has_a_status_of_four_digits(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 2000})  # <- H4
    await send(END)


@breaks("H4")
async def has_a_status_of_zero(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 0})  # <- H4
    await send(END)


# --- headers -------------------------------------------------------------------------------------


@breaks("H5")
async def has_headers_of_text(scope: Any, receive: Any, send: Any) -> None:
    await send(headed(("content-type", "text/plain")))  # <- H5
    await send(END)


@breaks("H5")
async def has_a_value_of_text(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-type", "text/plain")))  # <- H5
    await send(END)


@breaks("H5")
async def has_a_value_that_is_a_number(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", 4)))  # <- H5
    await send(END)


@breaks("H5")
async def has_headers_in_a_dict(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": {b"content-type": b"text/plain"}})  # <- H5
    await send(END)


@breaks("H5")
async def has_no_list_of_headers(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": None})  # <- H5
    await send(END)


@breaks("H5")
async def has_headers_of_three(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"a", b"b", b"c")))  # <- H5
    await send(END)


@breaks("H5")
async def has_headers_in_lines(scope: Any, receive: Any, send: Any) -> None:
    await send(headed(b"content-type: text/plain"))  # <- H5
    await send(END)


@breaks("H6")
async def has_capitals(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"Content-Type", b"text/plain")))  # <- H6
    await send(END)


@breaks("H7")
async def has_a_pseudo_header(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b":status", b"200")))  # <- H7
    await send(END)


@breaks("H8")
async def has_a_space_in_a_name(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content type", b"text/plain")))  # <- H8
    await send(END)


@breaks("H8")
async def has_an_empty_name(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"", b"text/plain")))  # <- H8
    await send(END)


@breaks("H8", scope=http("/?to=x%0d%0aset-cookie:a=b"))
async def splits_the_response(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"location", b"/x\r\nset-cookie: a=b")))  # <- H8
    await send(END)


@breaks("H8")
async def has_a_null_in_a_value(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"x-name", b"a\0b")))  # <- H8
    await send(END)


@breaks("H9")
async def frames_by_itself(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"transfer-encoding", b"chunked")))  # <- H9
    await send({**END, "body": b"4\r\ndone\r\n0\r\n\r\n"})


# --- bodies --------------------------------------------------------------------------------------


@breaks("H11")
async def has_a_body_of_text(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({**END, "body": "done"})  # <- H11


@breaks("H11")
async def has_a_body_that_changes(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({**END, "body": bytearray(b"done")})  # <- H11


@breaks("H11")
async def has_a_body_of_none(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({**END, "body": None})  # <- H11


@breaks("H11")
async def counts_what_more_there_is(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({**MORE, "more_body": 0})  # <- H11


@breaks("H11", scope=TRAILING)
async def promises_trailers_with_yes(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "trailers": "yes"})  # <- H11
    await send(END)


@breaks("H16")
async def sends_more_than_declared(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", b"3")))
    await send(END)  # <- H16


@breaks("H16")
async def sends_less_than_declared(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", b"40")))
    await send(MORE)
    await send(END)  # <- H16


@breaks("H16")
async def counts_characters(scope: Any, receive: Any, send: Any) -> None:
    text = "naïve"
    await send(headed((b"content-length", b"%d" % len(text))))
    await send({**END, "body": text.encode()})  # <- H16


@breaks("H16")
async def declares_twice(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", b"4"), (b"content-length", b"4")))  # <- H16
    await send(END)


@breaks("H16")
async def declares_no_number(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", b"four")))  # <- H16
    await send(END)


@breaks("H17")
async def has_content_in_no_content(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 204})
    await send(END)  # <- H17


@breaks("H17")
async def sends_what_is_not_modified(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 304})
    await send(END)  # <- H17


# --- extensions ----------------------------------------------------------------------------------


@breaks("H18", scope=TRAILING)
async def promises_trailers_in_vain(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "trailers": True})
    await send(END)  # <- H18


@breaks("H18", scope=TRAILING)
async def sends_trailers_nobody_expects(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    await send(TRAILERS)  # <- H18


@breaks("H18", scope=TRAILING)
async def sends_trailers_before_the_end(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "trailers": True})
    await send(MORE)
    await send(TRAILERS)  # <- H18


@breaks("X1")
async def pushes_uninvited(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.push", "path": "/a.css", "headers": []})  # <- X1
    await send(END)


@breaks("X1")
async def sends_a_path_uninvited(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.pathsend", "path": "/a.css"})  # <- X1


@breaks("X2", scope=PUSHING)
async def pushes_before_the_start(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.push", "path": "/a.css", "headers": []})  # <- X2
    await send(START)
    await send(END)


@breaks("X2", scope=PUSHING)
async def hints_after_the_end(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    await send({"type": "http.response.early_hint", "links": [b"</a>"]})  # <- X2


@breaks("X2", scope=DEBUGGED)
async def debugs_after_the_start(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.debug", "info": {}})  # <- X2
    await send(END)


@breaks("X2", scope=DEBUGGED)
async def debugs_twice(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.debug", "info": {}})
    await send({"type": "http.response.debug", "info": {}})  # <- X2
    await send(START)
    await send(END)


@breaks("X2", scope=SENDING)
async def sends_a_path_twice(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.pathsend", "path": "/a"})
    await send({"type": "http.response.pathsend", "path": "/b"})  # <- X2


@breaks("X2", scope=SENDING)
async def mixes_a_path_with_a_body(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(MORE)
    await send({"type": "http.response.pathsend", "path": "/b"})  # <- X2
