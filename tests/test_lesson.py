"""What lessons are made of: expectations in words, checks, hints, progress, predictions."""

import asyncio
import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from asgi_lab import get, post, run, ws
from asgi_lab.client import expect as answered
from asgi_lab.client import pause
from asgi_lab.events import Trace
from asgi_lab.lesson import Failed, check, expect, hint, predict
from asgi_lab.lesson.answers import AnswerError, load_answer
from asgi_lab.lesson.authoring.stubs import stub_of
from asgi_lab.lesson.checking import Outcome, check_answer
from asgi_lab.lesson.course import CourseError, choose, exercises_of, find_course
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.progress import Progress
from tests.answers import COURSE, EXERCISES
from tests.command import Command
from tests.command import run as command

ECHO = COURSE / "solutions/05_scope_receive_send/1_echo.py"
STUB = COURSE / "exercises/05_scope_receive_send/1_echo.py"


def traced(app: Any, *steps: Any) -> Trace:
    return asyncio.run(run(app, *steps))


async def start(send: Any, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})


async def body(send: Any, part: bytes = b"", more: bool = False) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": more})


def http(handler: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await handler(scope, receive, send)

    return app


@http
async def slow(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await start(send)
    await body(send, b"a", more=True)
    await asyncio.sleep(1)
    await body(send, b"b")


@http
async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("price")


def failure(call: Any) -> Failed:
    with pytest.raises(Failed) as caught:
        call()
    return caught.value


# ------------------------------------------------------------------ expectations


def test_expectations_that_hold_say_nothing_and_go_on() -> None:
    trace = traced(slow, post("/", [b"x", pause(0.5), b"y"]))
    everything = expect(trace).keeps_the_rules().raises_nothing().answers(200, b"ab").takes(1)
    everything.overlaps(at_most=1, exactly=1).holds_the_loop(at_most=0.1)
    sends = expect(trace).sends("http.response.start", status=200).once()
    sends.before("http.response.body").after("http.request").at(0)
    expect(trace).sends("http.response.body").times(2).at_least(1).at(0, 1)
    expect(trace).sends("http.response.body").containing("b").at(1)
    expect(trace).receives("http.disconnect").never().then_no("http.response.body")
    assert repr(expect(trace).returns().once()) == repr(expect(trace)) == "as expected"


def test_only_the_requests_for_a_path() -> None:
    trace = traced(slow, get("/a"), get("/b", at=0.5))
    expect(trace).sends("http.response.start").times(2)
    expect(trace, path="/b").sends("http.response.start").once()
    expect(trace, path="/b").takes(1)
    told = failure(lambda: expect(trace, path="/b").takes(2))
    assert (told.expected, told.shown) == ("/b is done after 2 s", "it took 1 s")


SAID = {
    "once": (
        lambda e: e.sends("http.response.body").once(),
        "http.response.body is sent once",
        "it is sent twice: at 0 µs, 1.00 s",
    ),
    "never": (
        lambda e: e.sends("http.response.start").never(),
        "http.response.start is never sent",
        "it is sent once: at 0 µs",
    ),
    "facts": (
        lambda e: e.sends("http.response.start", status=404).once(),
        "http.response.start with status=404 is sent once",
        "it never is: the one there is has status=200",
    ),
    "at least": (
        lambda e: e.receives("http.disconnect").at_least(1),
        "http.disconnect is received once or more",
        "it never is",
    ),
    "at": (
        lambda e: e.sends("http.response.body").at(0, 2),
        "http.response.body is sent at 0 s, 2 s",
        "it is sent at 0 s, 1 s",
    ),
    "before": (
        lambda e: e.sends("http.response.body").before("http.request"),
        "http.response.body comes before http.request",
        "http.request comes first, at 0 µs",
    ),
    "after": (
        lambda e: e.sends("http.response.start").after("http.response.body"),
        "http.response.start comes after http.response.body",
        "http.response.start comes first, at 0 µs",
    ),
    "then no": (
        lambda e: e.sends("http.response.start").then_no("http.response.body"),
        "no http.response.body once http.response.start is sent",
        "there is one at 0 µs",
    ),
    "status": (
        lambda e: e.answers(404),
        "GET / is answered with 404",
        "the answer is 200",
    ),
    "body": (
        lambda e: e.answers(200, b"ba"),
        "the body of the answer is b'ba'",
        "it is b'ab'",
    ),
    "takes": (
        lambda e: e.takes(2),
        "all is done after 2 s",
        "it took 1 s",
    ),
    "overlaps": (
        lambda e: e.overlaps(exactly=2),
        "2 requests in flight at once",
        "1 request at most",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_does_not_hold_is_told_in_words(name: str) -> None:
    call, expected, shown = SAID[name]
    told = failure(lambda: call(expect(traced(slow, get("/")))))
    assert (told.expected, told.shown) == (expected, shown)
    assert str(told) == f"expected   {expected}\nthe trace  {shown}"


def test_the_event_to_look_at_and_the_advice_come_with_it() -> None:
    trace = traced(slow, get("/"))
    told = failure(lambda: expect(trace).sends("http.response.body").once(advice="One is enough."))
    assert told.event is not None
    assert (told.event.type, told.event.t) == ("http.response.body", 1_000_000_000)
    assert told.advice == "One is enough."


def test_what_was_raised_is_told_with_its_place() -> None:
    trace = traced(fails, get("/"))
    told = failure(lambda: expect(trace).raises_nothing())
    assert re.fullmatch(r"KeyError: 'price', at .*test_lesson\.py:\d+ in fails", told.shown)
    told = failure(lambda: expect(trace).answers(200))
    assert told.shown.startswith("the answer is 500, for the app raised KeyError: 'price', at ")


def test_what_holds_the_loop_is_named() -> None:
    @http
    async def blocks(scope: Any, receive: Any, send: Any) -> None:
        import time

        time.sleep(0.3)
        await start(send)
        await body(send)

    told = failure(lambda: expect(traced(blocks, get("/x"))).holds_the_loop(at_most=0.1))
    assert told.expected == "nothing holds the event loop for more than 100 ms"
    assert re.match(r"GET /x \(#2\) held it for 300 ms, by time\.sleep at .*in blocks$", told.shown)


def test_a_broken_rule_is_told_with_its_remedy() -> None:
    @http
    async def twice(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await start(send)

    told = failure(lambda: expect(traced(twice, get("/"))).keeps_the_rules())
    assert told.expected == "http.response.start is sent once (rule H2)"
    assert told.advice.startswith("Return after answering")


def test_a_websocket_is_a_conversation_like_any_other() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"]})
        await send({"type": "websocket.close", "code": 1000})

    trace = traced(echo, ws("/", "hi", answered("hi")))
    expect(trace).sends("websocket.accept").once().before("websocket.send")
    expect(trace).sends("websocket.send", text="hi").containing("hi").once()


# ------------------------------------------------------------------ answers and checks


def test_an_answer_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    file = tmp_path / "1_echo.py"
    with pytest.raises(AnswerError, match="no such file"):
        load_answer(file)
    file.write_text("async def app(scope, receive send):\n    pass\n")
    with pytest.raises(AnswerError) as caught:
        load_answer(file)
    assert "1_echo.py, line 1 is no Python" in str(caught.value)
    assert "async def app(scope, receive send)" in str(caught.value)
    file.write_text("import nothing_of_that_name\n")
    with pytest.raises(AnswerError, match="No module named 'nothing_of_that_name'"):
        load_answer(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(AnswerError, match="cannot read"):
        load_answer(file)


def outcome(answer: dict[str, Any], test: Any) -> Outcome:
    exercise = Exercise("chapter/name", "Title", ("one", "two", "three"))
    exercise.check("it works")(test)
    return asyncio.run(check_answer(exercise, answer))


def test_a_check_takes_by_name_what_the_file_defines() -> None:
    def sums(add: Any, zero: Any) -> None:
        assert add(1, zero) == 1

    assert outcome({"add": lambda a, b: a + b, "zero": 0, "more": 1}, sums).ok
    missing = outcome({"zero": 0}, sums).failure
    assert missing is not None
    assert (missing.expected, missing.shown) == (
        "your file defines add",
        "there is no add in it",
    )


def test_what_an_answer_raises_is_told_at_its_own_line() -> None:
    def calls(function: Any) -> None:
        function()

    def wrong() -> None:
        print("so far")
        {}["key"]

    told = outcome({"function": wrong}, calls)
    assert told.failure is not None
    assert re.fullmatch(
        r"""it raised KeyError: 'key'\nat .*test_lesson\.py:\d+ in wrong: \{\}\["key"\].*""",
        told.failure.shown,
    )
    assert told.printed == "so far\n"

    def leaves() -> None:
        raise SystemExit(3)

    left = outcome({"function": leaves}, calls).failure
    assert left is not None
    assert left.shown.startswith("it raised SystemExit: 3\nat ")


def test_an_app_that_waits_for_ever_is_told_where() -> None:
    @http
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    async def answers(app: Any) -> None:
        await run(app, get("/"))

    told = outcome({"app": waits}, answers).failure
    assert told is not None
    assert told.expected == "the app comes to an end"
    assert "waits since 0 s for the client's next message" in told.shown
    assert told.shown.endswith("it waits for the app, and the app for it.")
    assert told.event is not None
    assert told.event.type == "http.request"


# ------------------------------------------------------------------ in a notebook


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the course, as a learner has it, and we are in it."""
    for name in ("exercises", "notebooks"):
        shutil.copytree(COURSE / name, tmp_path / name)
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("ASGI_LAB_COURSE", raising=False)
    monkeypatch.delenv("ASGI_LAB_STATIC", raising=False)
    return tmp_path


def kept(course: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads((course / "progress.json").read_text())
    return known


def test_check_in_a_notebook(course: Path) -> None:
    app = load_answer(ECHO)["app"]

    async def cell() -> Any:
        return check("05.1", app)  # a loop is running, as in a kernel

    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body(send, (await receive())["body"])

    wrong = check("05.1", hasty)
    assert not wrong.ok
    assert "▲ here" in str(wrong)
    assert kept(course) == {"05.1": "tried"}
    shown = asyncio.run(cell())
    assert shown.ok
    assert str(shown) == repr(shown)
    assert "✓ it receives until the body is complete" in str(shown)
    data, _ = shown._repr_mimebundle_()
    assert data["text/plain"] == str(shown)
    assert kept(course) == {"05.1": "passed"}
    assert not check("05.1", hasty).ok
    assert kept(course) == {"05.1": "passed"}, "what has been passed stays passed"


def test_check_says_what_it_takes(course: Path) -> None:
    with pytest.raises(TypeError, match=r"missing: app"):
        check("05.1")
    with pytest.raises(TypeError, match=r"takes app"):
        check("05.1", 1, 2)
    with pytest.raises(CourseError, match=r"no exercise '99.1'.*there are .*05\.1"):
        check("99.1", None)
    with pytest.raises(ValueError, match=r"05\.1, 05\.2"):
        check("05", None)


def test_hints_say_more_and_more(course: Path) -> None:
    hints = EXERCISES["05.1"].exercise.hints
    assert hint("05.1") == f"hint 1 of 3: {hints[0]}"
    assert hint("05.1", 3) == f"hint 3 of 3: {hints[2]}"
    assert hint("05.1", 7) == hint("05.1", 3)


def test_where_nothing_can_be_kept_it_works_all_the_same(course: Path) -> None:
    (course / "progress.json").mkdir()
    assert check("05.1", load_answer(ECHO)["app"]).ok


# ------------------------------------------------------------------ progress, predictions, course


def test_progress_survives_what_is_no_progress(tmp_path: Path) -> None:
    for text in ("", "[]", '{"05.1": 3}', "{"):
        (tmp_path / "progress.json").write_text(text)
        assert Progress(tmp_path).next_of(["05.1", "05.2"]) == "05.1"
    progress = Progress(tmp_path)
    progress.note("05.1", True)
    progress.note("05.2", False)
    assert Progress(tmp_path).next_of(["05.1", "05.2"]) == "05.2"
    assert Progress(tmp_path).next_of(["05.1"]) is None


def test_a_prediction_is_answered_by_the_trace() -> None:
    guess = predict("How long?", "1 s", "5 s")
    assert str(guess) == "Predict: How long?\n   1. 1 s\n   2. 5 s"
    assert guess.reveal("5 s") == "The trace says: 5 s."
    guess.choose("5 s")
    assert guess.reveal("5 s") == "The trace says: 5 s. As you predicted."
    guess.choose("1 s")
    assert "You predicted 1 s" in guess.reveal("5 s")
    with pytest.raises(ValueError, match="none of"):
        guess.reveal("7 s")
    with pytest.raises(ValueError, match="choose one of '1 s', '5 s'"):
        guess.choose("2 s")
    data, _ = guess._repr_mimebundle_()
    assert data["text/plain"] == str(guess)


def test_a_prediction_in_a_kernel_is_a_row_of_buttons(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipywidgets")
    guess = predict("How long?", "1 s", "5 s")
    box = guess._widget()
    buttons = box.children[-1]
    buttons.value = "5 s"
    assert guess.chosen == "5 s"


def test_the_course_is_found_from_within(course: Path, tmp_path_factory: Any) -> None:
    assert find_course() == course
    assert find_course(course / "exercises/05_scope_receive_send") == course
    with pytest.raises(CourseError, match="expected the folders exercises and notebooks"):
        find_course(tmp_path_factory.mktemp("elsewhere"))


@pytest.mark.parametrize("wanted", ["05.1", "5.1", "echo", "1_echo.py", str(STUB)])
def test_an_exercise_is_named_in_many_ways(course: Path, wanted: str) -> None:
    assert [each.id for each in choose(course, wanted)] == ["05.1"]


def test_a_file_without_checks_is_told(course: Path) -> None:
    (course / "exercises/05_scope_receive_send/9_other.py").write_text("")
    with pytest.raises(CourseError, match=r"9_other\.py is no exercise: .* has echo, countdown"):
        list(exercises_of(course))


def test_stubs_come_from_solutions() -> None:
    solution = (
        "def f():\n    # TODO: one\n    # your code begins\n    return 1\n    # your code ends\n"
    )
    stub = 'def f():\n    # TODO: one\n    raise NotImplementedError("your turn")\n'
    assert stub_of(solution, "f.py") == stub
    for wrong in ("", solution.replace("ends", "is done"), "# your code ends\n"):
        with pytest.raises(CourseError, match=r"^f\.py"):
            stub_of(wrong, "f.py")


# ------------------------------------------------------------------ asgi-lab check


def test_the_command_checks_and_says_what_comes_next(course: Path) -> None:
    file = course / "exercises/05_scope_receive_send/1_echo.py"
    first = command("check", "05.1", cwd=course)
    assert first.process.returncode == 1
    assert "✗ it answers a request without a body" in first.stdout
    assert "the TODO is still open: it is your turn" in first.stdout
    assert "stuck? asgi-lab check 05.1 --hint 1" in first.stdout
    assert "\x1b" not in first.stdout
    shutil.copy(ECHO, file)
    passed = command("check", "05.1", cwd=course)
    assert passed.process.returncode == 0, passed.stdout
    ids = [each.id for each in exercises_of(course)]
    following = next(id for id in ids if id != "05.1")
    assert f"\nnext: {following}, in exercises/" in passed.stdout
    assert kept(course) == {"05.1": "passed"}
    listed = command("check", "--list", cwd=course)
    assert "✓ 05.1  Echo: send back what you receive\n" in listed.stdout
    assert listed.stdout.endswith(f"\n1 of {len(ids)} passed\n")


def test_the_command_without_an_id_checks_the_next_one(course: Path) -> None:
    ids = [each.id for each in exercises_of(course)]
    progress = Progress(course)
    for id in ids[:-1]:
        progress.note(id, True)
    told = command("check", cwd=course)
    assert told.stdout.startswith(f"{ids[-1]}  ")
    assert told.process.returncode == 1
    progress.note(ids[-1], True)
    told = command("check", cwd=course)
    assert told.stdout == "All exercises are passed. `asgi-lab check --all` checks them again.\n"
    assert told.process.returncode == 0


def test_all_stops_where_one_fails(course: Path) -> None:
    told = command("check", "--all", cwd=course)
    assert told.process.returncode == 1
    assert told.stdout.count("✗") == 1


def test_what_is_wrong_with_a_file_is_told_without_a_traceback_of_ours(course: Path) -> None:
    file = course / "exercises/05_scope_receive_send/1_echo.py"
    file.write_text("async def app(:\n")
    told = command("check", "05.1", cwd=course)
    assert told.process.returncode == 1
    assert "1_echo.py, line 1 is no Python" in told.stdout
    assert "Traceback" not in told.stdout + told.stderr


WRONG = {
    "99.9": r"no exercise '99\.9' in .*exercises: there are .*05\.1",
    "nonsense": "no exercise 'nonsense'",
}


@pytest.mark.parametrize("wanted", WRONG)
def test_an_unknown_id_is_told_with_those_there_are(course: Path, wanted: str) -> None:
    told = command("check", wanted, cwd=course)
    assert (told.process.returncode, told.stdout) == (2, "")
    assert re.search(WRONG[wanted], told.stderr)


def test_without_a_course_it_says_how_to_get_one(tmp_path: Path) -> None:
    told = command("check", cwd=tmp_path)
    assert told.process.returncode == 2
    assert "`asgi-lab lab` copies the course" in told.stderr


def test_hints_on_the_command_line(course: Path) -> None:
    hints = EXERCISES["05.1"].exercise.hints
    told = command("check", "05.1", "--hint", "2", cwd=course)
    assert told.stdout.endswith(f"hint 2 of 3: {hints[1]}\n")
    wrong = command("check", "05.1", "--hint", "4", cwd=course)
    assert (wrong.process.returncode, wrong.stdout) == (2, "")
    assert "05.1 has hints 1 to 3, got 4" in wrong.stderr


def test_colours_are_left_out_on_request(course: Path) -> None:
    coloured = command("check", "05.1", cwd=course, FORCE_COLOR="1")
    assert "\x1b[" in coloured.stdout
    plain = command("check", "05.1", cwd=course, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[38" not in plain.stdout
    assert "\x1b[31" not in plain.stdout


def test_watching_goes_on_as_files_are_saved(course: Path) -> None:
    file = course / "exercises/05_scope_receive_send/1_echo.py"
    with Command("check", "05.1", "--watch", cwd=course) as watching:
        watching.wait_for("the TODO is still open")
        watching.wait_for(r"watching .*1_echo\.py: save it, or Ctrl-C to end")
        file.write_text("app = 1 +\n")
        watching.wait_for("is no Python")
        shutil.copy(ECHO, file)
        watching.wait_for("✓ it receives until the body is complete")
        watching.wait_for("the TODO is still open")  # of the next one
        watching.signal(signal.SIGINT)
        assert watching.finish() == 0
    assert watching.stderr == ""


def test_the_lesson_library_is_light_until_it_is_used(tmp_path: Path) -> None:
    script = (
        "import sys; from asgi_lab.lesson import check, expect, predict; "
        "print([n for n in ('ipywidgets', 'matplotlib', 'jupytext', 'nbformat', 'anywidget') "
        "if n in sys.modules])"
    )
    with Command("-c", script, cwd=tmp_path, start=()) as told:
        assert told.finish() == 0
    assert told.stdout == "[]\n"
