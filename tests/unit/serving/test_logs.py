import json
import logging

from serving.logs import Lines


def line(message: str, *arguments: object, error: BaseException | None = None) -> dict[str, object]:
    told = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("recsys.serving", logging.ERROR, "file.py", 1, message, arguments, told)
    found: dict[str, object] = json.loads(Lines().format(record))
    return found


def test_a_line_is_one_object() -> None:
    told = line("answering from %s", "2025\n")
    assert told["level"] == "error"
    assert told["logger"] == "recsys.serving"
    assert told["message"] == "answering from 2025\n"
    assert str(told["time"]).endswith("+00:00")


def test_an_error_is_told_by_kind_and_place_and_not_by_its_words() -> None:
    def fail() -> None:
        raise KeyError("会员001")

    try:
        fail()
    except KeyError as error:
        told = line("request failed", error=error)
    assert told["error"] == "KeyError"
    frames = told["frames"]
    assert isinstance(frames, list)
    assert "test_logs.py" in frames[-1]
    assert "会员001" not in json.dumps(told, ensure_ascii=False)
