"""The environment OpenStack is installed in, made by the real uv or pip, with nothing in it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.errors import Permanent
from reconciler.ports import Task
from reconciler.sandbox.openstack import environment
from reconciler.sandbox.openstack.environment import Environment


class Recorder:
    """Progress that keeps the titles of what was done."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def log(self, text: str) -> None: ...

    def total(self, units: float) -> None: ...

    def advance(self, units: float = 1) -> None: ...

    def status(self, text: str) -> None: ...

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        self.titles.append(title)
        yield self


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Requirements that ask for nothing, so that an environment is made within seconds."""
    path = tmp_path / "requirements.txt"
    path.write_text("# nothing\n")
    monkeypatch.setattr(environment, "REQUIREMENTS", path)
    return path


def test_an_interrupted_build_is_started_over_and_only_once(small: Path, tmp_path: Path) -> None:
    progress = Recorder()
    made = Environment(tmp_path / "cache", progress)
    half = made.venv / "lib" / "half"
    half.mkdir(parents=True)
    threads = [threading.Thread(target=made.ensure) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not half.exists()
    assert subprocess.run([made.program("python"), "-c", "import sys"], check=False).returncode == 0
    assert progress.titles == ["installing OpenStack (0 packages)"]


def test_other_pins_are_another_environment(small: Path, tmp_path: Path) -> None:
    before = Environment(tmp_path / "cache", Recorder()).folder
    small.write_text("nova==34.0.0\n")
    assert Environment(tmp_path / "cache", Recorder()).folder != before


def test_a_package_that_can_not_be_had_is_an_error_with_a_hint(small: Path, tmp_path: Path) -> None:
    small.write_text(f"{tmp_path}/there-is-no-such-package\n")
    made = Environment(tmp_path / "cache", Recorder())
    with pytest.raises(Permanent, match="can't be installed") as caught:
        made.ensure()
    assert caught.value.hint is not None
    assert caught.value.evidence is not None
    assert "there-is-no-such-package" in "\n".join(caught.value.evidence.last_lines)
    assert not (made.venv / ".complete").exists()


def test_pip_does_where_there_is_no_uv(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_find_uv", lambda: None)
    made = Environment(tmp_path / "cache", Recorder())
    made.ensure()
    assert (made.venv / "bin" / "pip").exists()
