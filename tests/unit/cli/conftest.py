"""The `reconciler` command as people and scripts meet it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli import main


@dataclass
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The `reconciler` command, in this process. No settings but the defaults, no colours."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no settings"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("RECONCILER_DEBUG", raising=False)

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["reconciler", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        captured = capsys.readouterr()
        assert isinstance(code, int)
        assert "Traceback" not in captured.out + captured.err
        return Said(code, captured.out, captured.err)

    return call
