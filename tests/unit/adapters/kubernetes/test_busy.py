"""Who says that it has no time now, and when to come again, is asked again: so often, and no longer apart than this."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from reconciler import interrupt
from reconciler.adapters.kubernetes.busy import patiently, pause


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)


STARTING = Answer(429, {"Retry-After": "1"})


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(interrupt, "wait", seconds.append)
    return seconds


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "1", 1.0),
        (503, "0", 0.0),
        (500, "2", 2.0),
        (429, "86400", 5.0),
        (429, "9" * 400, 5.0),
        (429, None, None),
        (429, "Fri, 31 Dec 2027 23:59:59 GMT", None),
        (429, "-1", None),
        (429, "\N{SUPERSCRIPT TWO}", None),
        (200, "1", None),
        (404, "1", None),
    ],
)
def test_how_long_a_server_asks_to_wait(status: int, retry_after: str | None, seconds: float | None) -> None:
    assert pause(status, retry_after) == seconds


def test_it_is_asked_again_until_it_has_time(waited: list[float]) -> None:
    answers = iter([STARTING, STARTING, Answer(200)])
    assert patiently(lambda: next(answers)).status == 200
    assert waited == [1.0, 1.0]


def test_it_is_not_asked_for_ever(waited: list[float]) -> None:
    assert patiently(lambda: STARTING) is STARTING
    assert waited == [1.0] * 10


def test_who_is_to_stop_does_not_wait(waited: list[float]) -> None:
    with interrupt.unless(lambda: "a newer commit"):
        assert patiently(lambda: STARTING) is STARTING
    assert waited == []
