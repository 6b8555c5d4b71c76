from datetime import UTC, datetime

from sqlalchemy import Engine

from recsys.store.audit import Action, Line, Who, lines, record, record_in

AT = datetime(2025, 1, 1, 8, 0, 0, 250_000, tzinfo=UTC)
ANNA = Who("a1b2", "王芳", "ops")
BOB = Who("", "bob", "admin")


def line(action: Action = Action.VIEW, subject: str = "x", who: Who = ANNA) -> Line:
    return Line(AT, who, action, subject, 3, 1_000_000, {"format": "csv", "渠道": None})


def test_lines_come_back_whole_and_the_newest_first(engine: Engine) -> None:
    told = [line(), line(Action.EXPORT, "y", BOB), Line(AT, BOB, Action.LIST, "")]
    for one in told:
        record(engine, one)
    found = lines(engine, limit=10)
    assert [one.line for one in found] == told[::-1]
    assert [one.number for one in found] == [3, 2, 1]


def test_lines_are_picked_and_paged(engine: Engine) -> None:
    for n in range(6):
        record(engine, line(Action.VIEW if n % 2 else Action.EXPORT, "ab"[n // 3]))
    assert [one.number for one in lines(engine, limit=2)] == [6, 5]
    assert [one.number for one in lines(engine, limit=2, before=5)] == [4, 3]
    assert [one.number for one in lines(engine, limit=9, subject="a")] == [3, 2, 1]
    assert [one.number for one in lines(engine, limit=9, subject="b", action=Action.EXPORT)] == [5]


def test_a_line_stands_only_when_its_transaction_does(engine: Engine) -> None:
    with engine.connect() as connection:
        record_in(connection, line())
        connection.rollback()
    assert lines(engine, limit=1) == ()
