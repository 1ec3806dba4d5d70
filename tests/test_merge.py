"""Numbers of several processes become numbers of one trace, for as long as they are needed."""

from itertools import count

from asgi_lab.merge import KEPT, MOST, Numbering
from asgi_lab.recorder import Record


def scope(conn: int) -> Record:
    return (0, "scope", conn << 8, 1, "http", (("path", "/"),))


def test_two_processes_get_numbers_in_the_order_of_arrival() -> None:
    conns, tasks = count(1), count(1)
    one, two = Numbering(conns, tasks), Numbering(conns, tasks)
    assert [r[2] >> 8 for r in one.records([scope(1), scope(2)], 7)] == [1, 2]
    assert [r[2] >> 8 for r in two.records([scope(1)], 8)] == [3]
    assert one.records([(5, "send", 2 << 8 | 3, 1, "x", ())], 7) == [
        (5, "send", 2 << 8 | 3, 1, "x", ())
    ]
    assert two.records([(5, "send", 1 << 8 | 3, 1, "x", ())], 8) == [
        (5, "send", 3 << 8 | 3, 2, "x", ())
    ]
    assert one.records([scope(9)], 7)[0][-1] == (("path", "/"), ("pid", 7))


def test_one_by_one_is_the_same_as_many_at_once() -> None:
    records = [scope(4), (1, "task", 4 << 8, 2, (("parent", 1), ("name", "x"))), scope(2)]
    records += [(2, "run", 2 << 8 | 1, 9), (3, "return", 4 << 8, 1, 0), (4, "mark", 0, 0, "here")]
    for start in (1, 5):
        many, each = (Numbering(count(start), count(start)) for _ in range(2))
        assert many.records(records, 7) == [each.record(record, 7) for record in records]


def test_what_is_open_keeps_its_number_and_what_has_ended_is_forgotten() -> None:
    numbering = Numbering(count(1), count(1))
    for conn in range(1, 2 * KEPT):
        end = [(1, "return", conn << 8, 1, 0)] if conn > 1 else []
        numbering.records([scope(conn), *end], 7)
    assert numbering.conn(1) == 1
    assert len(numbering._conns) <= KEPT + 3


def test_memory_is_bounded_where_ends_are_missing() -> None:
    numbering = Numbering(count(1), count(1))
    for conn in range(1, MOST + 10):
        numbering.conn(conn)
        numbering.task(conn)
    assert len(numbering._conns) <= MOST + 1
    assert len(numbering._tasks) <= KEPT + 1
