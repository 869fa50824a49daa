"""Where ssh's shared connections lie: private, short, of a name that nobody knows before, and gone afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.adapters.kubespray.sockets import control_sockets


def test_the_folder_for_sockets_is_private_short_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_folder() as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        with control_sockets(tmp_path) as folder:
            assert folder.parent == runtime
            assert folder.stat().st_mode & 0o077 == 0
            assert len(f"{folder}/0123456789.0123456789abcdef") < 104
            (folder / "left").touch()
        assert list(runtime.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_nobody_can_make_the_folder_for_sockets_before_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a name that could be known was made by somebody else, and stopped every playbook."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    name = hashlib.sha256(os.fsencode(tmp_path)).hexdigest()[:12]
    theirs = Path("/tmp") / f"rk-{os.getuid()}-{name}"
    theirs.mkdir(mode=0o755)
    theirs.chmod(0o755)
    try:
        with control_sockets(tmp_path) as first:
            pass
        with control_sockets(tmp_path) as second:
            assert second.stat().st_mode & 0o077 == 0
        assert first != second
    finally:
        theirs.rmdir()


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_runtime_folder_that_others_may_look_into_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    with short_folder() as runtime:
        runtime.chmod(mode)
        link = runtime.with_name(f"{runtime.name}-link")
        link.symlink_to(runtime)
        try:
            for place in (runtime, link, runtime / "none", Path("relative")):
                monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
                with control_sockets(tmp_path) as folder:
                    assert not folder.is_relative_to(runtime)
                    assert len(f"{folder}/0123456789.0123456789abcdef") < 104
        finally:
            link.unlink()


def test_a_path_that_is_too_long_for_a_socket_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 60)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with control_sockets(tmp_path) as folder:
        assert folder.parent == Path("/tmp")
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"{folder}/0123456789.0123456789abcdef")


def test_what_a_killed_run_left_is_gone_after_the_next(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from reconciler.adapters.kubespray.sockets import control_sockets\n"
        f"with control_sockets(Path({str(tmp_path)!r})) as folder:\n"
        "    (folder / 'socket').touch()\n    print(folder, flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    left = Path(child.stdout.readline().strip())
    child.kill()
    child.wait(10)
    assert (left / "socket").exists()
    with control_sockets(tmp_path) as folder:
        assert not left.exists()
        assert folder.is_dir()


def test_a_note_leads_to_no_folder_but_ours(tmp_path: Path) -> None:
    theirs = tmp_path / "rk-theirs"
    theirs.mkdir(mode=0o755)
    theirs.chmod(0o755)
    (theirs / "file").touch()
    for note in (str(theirs), str(tmp_path), "/", "rk-relative", "\0", "x" * 5000):
        (tmp_path / "sockets").write_text(note)
        with control_sockets(tmp_path):
            pass
    assert (theirs / "file").exists()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A private folder whose path leaves room for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
