"""What tells a dead control plane from a silent one survives a kill, and a damaged note is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.control.installed import ended, forget, installed_on, lost, remember
from reconciler.errors import Transient
from reconciler.model.resource import Resource


def server(name: str, id: str = "1") -> Resource:
    return Resource("server", name, {}, id, "demo")


def test_what_is_remembered(tmp_path: Path) -> None:
    assert installed_on(tmp_path, "demo") == {}
    remember(tmp_path, "demo", [server("b", "2"), server("a")])
    assert installed_on(tmp_path, "demo") == {"a": "1", "b": "2"}
    assert installed_on(tmp_path, "other") == {}
    assert [p.name for p in (tmp_path / "demo").iterdir()] == ["installed.json"]


@pytest.mark.parametrize("text", ["", "[", "5", "null", "[[1]]", "\x00"])
def test_a_damaged_note_is_none(tmp_path: Path, text: str) -> None:
    remember(tmp_path, "demo", [server("a")])
    (tmp_path / "demo/installed.json").write_text(text)
    assert installed_on(tmp_path, "demo") == {}


def test_a_kill_while_writing_leaves_the_old_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path, "demo", [server("old")])

    def killed(path: Path, text: str) -> int:
        with path.open("w") as file:
            file.write(text[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        remember(tmp_path, "demo", [server("new")])
    assert installed_on(tmp_path, "demo") == {"old": "1"}


def test_a_note_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("no folder")
    with pytest.raises(Transient, match="cannot write"):
        remember(tmp_path, "demo", [server("a")])
    with pytest.raises(Transient, match="cannot write"):
        ended(tmp_path, "demo")


def test_a_machine_that_is_gone_or_another_is_lost() -> None:
    assert lost({"a": "1", "b": "2", "c": "3"}, [server("a"), server("b", "9"), server("d")]) == {"b", "c"}


def test_who_left_is_forgotten(tmp_path: Path) -> None:
    remember(tmp_path, "demo", [server("a"), server("b")])
    forget(tmp_path, "demo", ["b", "c"])
    assert installed_on(tmp_path, "demo") == {"a": "1"}
