"""The daemon's log: a line an event, whatever others wrote into it, and few lines for what anybody can bring about."""

from __future__ import annotations

import io
import json
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.serve.logs import Library, Log, LogFormat, LogProgress
from reconciler.serve.quiet import Quiet
from tests.unit.report.test_report_hostile import HOSTILE, unseen


def written(form: LogFormat, **fields: object) -> str:
    sink = io.StringIO()
    Log(form, sink).event("webhook", **fields)
    return sink.getvalue()


def waited(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("form", list(LogFormat))
@pytest.mark.parametrize("text", HOSTILE[:-2], ids=range(len(HOSTILE) - 2))
def test_a_value_is_shown_on_one_line_and_obeyed_by_no_terminal(form: LogFormat, text: str) -> None:
    line = written(form, delivery=text, status=401)
    assert line.count("\n") == 1
    assert unseen(line) == []
    assert len(line.splitlines()) == 1


@given(st.text(st.characters(), max_size=500))
def test_json_says_what_was_said(text: str) -> None:
    line = written(LogFormat.JSON, text=f"x{text}")
    assert unseen(line) == []
    assert json.loads(line)["text"] == json.loads(json.dumps(f"x{text}"))


def test_a_value_has_an_end() -> None:
    for form in LogFormat:
        assert len(written(form, error="x" * 10**6, hint="\u202e" * 10**6)) < 40_000


def test_progress_is_cleaned_too() -> None:
    sink = io.StringIO()
    LogProgress(Log(sink=sink), {"cluster": "demo"}).log("TASK [\x1b[31mx\u202e]\r\nforged")
    assert unseen(sink.getvalue()) == []
    assert sink.getvalue().count("\n") == 1


def test_of_what_anybody_can_bring_about_a_few_lines_and_then_a_count() -> None:
    sink = io.StringIO()
    quiet = Quiet(Log(LogFormat.JSON, sink), most=3, seconds=0.3)
    for n in range(1000):
        quiet.event("webhook", "webhook refused", status=401, delivery=n)
    quiet.event("cut", reason="too slow")
    waited(lambda: "more" in sink.getvalue())
    events = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [e.get("delivery") for e in events if e["event"] == "webhook"] == [0, 1, 2, None]
    assert next(e for e in events if "more" in e)["more"] == 997
    assert len([e for e in events if e["event"] == "cut"]) == 1
    quiet.event("webhook", "webhook refused", status=401)
    assert len(sink.getvalue().splitlines()) == len(events) + 1, "a minute later it is news again"


def test_what_is_still_to_be_said_is_said_at_the_end() -> None:
    sink = io.StringIO()
    quiet = Quiet(Log(LogFormat.JSON, sink), most=1)
    for _ in range(3):
        quiet.event("cut")
    quiet.close()
    quiet.close()
    assert [json.loads(line).get("more") for line in sink.getvalue().splitlines()] == [None, 2]


def test_what_a_library_logs_is_one_line_of_ours_without_its_traceback() -> None:
    sink = io.StringIO()
    quiet = Quiet(Log(LogFormat.JSON, sink), most=2)
    logger = logging.Logger("asyncio.selector")
    logger.addHandler(Library(quiet.event))
    for _ in range(100):
        try:
            raise OSError(24, "Too many open files: canary")
        except OSError:
            logger.exception("socket.accept() out of \x1b[31msystem resource\nfake line")
    logger.info("chatter")
    lines = sink.getvalue().splitlines()
    assert len(lines) == 2
    event = json.loads(lines[0])
    assert (event["event"], event["logger"]) == ("library", "asyncio")
    assert event["text"] == r"socket.accept() out of \u001b[31msystem resource"
    assert "OSError" in event["error"]
    assert "canary" not in sink.getvalue()
    quiet.close()
