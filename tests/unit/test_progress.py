"""Progress as it looks in a log and on a terminal."""

from __future__ import annotations

import io
import threading

import pytest

from reconciler import progress
from reconciler.console import Console
from reconciler.ports import Progress
from reconciler.progress import QuietProgress, RichProgress, spell


def made(*, live: bool) -> tuple[RichProgress, io.StringIO]:
    seen = io.StringIO()
    return RichProgress(Console(seen, force_terminal=live, width=120), live=live), seen


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (9.9, "9.9 s"), (9.97, "10 s"), (59.6, "1 min 0 s"), (197, "3 min 17 s")]
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert spell(seconds) == words


def test_a_log_gets_one_line_at_the_start_and_one_at_the_end() -> None:
    shown, seen = made(live=False)
    with shown.task("build [tofu]") as task:
        task.total(3)
        task.advance()
        task.status("crypto/tls")
    assert seen.getvalue() == "build [tofu] ...\ndone: build [tofu] (0.0 s)\n"


def test_a_long_task_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_HEARTBEAT_SECONDS", 0.01)
    shown, seen = made(live=False)
    beaten = threading.Event()
    log = shown.log

    def listen(text: str) -> None:
        log(text)
        if "1 of 3" in text:
            beaten.set()

    monkeypatch.setattr(shown, "log", listen)
    with shown.task("build") as task:
        task.total(3)
        task.advance()
        task.status("crypto/tls")
        assert beaten.wait(10)
    assert ", 1 of 3, crypto/tls\n" in seen.getvalue()


def test_what_failed_is_not_called_done() -> None:
    shown, seen = made(live=False)
    with pytest.raises(ValueError, match="no"), shown.task("build"):
        raise ValueError("no")
    assert "failed: build" in seen.getvalue()
    assert "done" not in seen.getvalue()


def test_a_terminal_gets_bars_that_go_and_lines_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)
    shown, seen = made(live=True)
    with shown.task("outer") as outer, shown.task("inner") as inner:
        outer.total(2)
        inner.status("a [bracket]")
        shown.log("a line [that] stays")
    text = seen.getvalue()
    assert "a line [that] stays" in text
    assert text.index("done: inner") < text.index("done: outer")
    assert "\x1b[?25l" in text  # the cursor was hidden
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # and shown again


@pytest.mark.parametrize("variable", ["CI", "NO_COLOR"])
def test_ci_is_no_terminal(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "1")
    seen = io.StringIO()
    with RichProgress(Console(seen, force_terminal=True)).task("work"):
        pass
    assert seen.getvalue().startswith("work ...")


@pytest.mark.parametrize("live", [False, True])
def test_tasks_may_come_from_any_thread(live: bool) -> None:
    shown, seen = made(live=live)

    def work(number: int) -> None:
        with shown.task(f"task {number}") as task:
            task.total(50)
            for _ in range(50):
                task.advance()
                shown.log(f"line of {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen.getvalue().count(f"line of {number}") == 50 for number in range(6))


def test_quiet_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    quiet: Progress = QuietProgress()
    with quiet.task("work") as task:
        quiet.log("a line")
        task.total(1)
        task.advance()
    assert capfd.readouterr() == ("", "")
