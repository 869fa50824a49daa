"""The Python environment OpenStack runs in: its own, since its hundreds of pins would fight with ours."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ... import process
from ...errors import Permanent, ReconcilerError
from ...ports import Progress, Task

GUEST = Path(__file__).parent / "guest"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_BUILD_SECONDS = 1800.0
_HINT = "the packages come from PyPI or the mirror pip is configured for; run it again to go on"


class Environment:
    """One virtual environment per set of pins and Python version, in `cache`, shared by every sandbox."""

    def __init__(self, cache: Path, progress: Progress) -> None:
        tag = f"{sys.version_info.major}.{sys.version_info.minor}"
        digest = hashlib.sha256(REQUIREMENTS.read_bytes() + tag.encode()).hexdigest()[:16]
        self.folder = cache.resolve() / "openstack" / digest
        self.venv = self.folder / "venv"
        self._progress = progress

    def program(self, name: str) -> Path:
        """Where a program of the environment lies."""
        return self.venv / "bin" / name

    def ensure(self) -> None:
        """Build it unless it is there. A build that was interrupted is started over; one at a time builds, others
        wait. Raises Permanent when a package can't be had."""
        mark = self.venv / ".complete"
        if mark.exists():
            return
        with locked(self.folder / "venv.lock"):
            if not mark.exists():
                self._build()
                mark.touch()

    def _build(self) -> None:
        shutil.rmtree(self.venv, ignore_errors=True)
        count = sum(1 for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#"))
        with self._progress.task(f"installing OpenStack ({count} packages)") as task:
            try:
                self._install(task, count)
            except ReconcilerError as error:
                raise Permanent("OpenStack can't be installed", hint=_HINT, evidence=error.evidence) from error

    def _install(self, task: Task, count: int) -> None:
        uv = _find_uv()
        if uv is not None:
            process.run([uv, "venv", "--quiet", "--python", sys.executable, self.venv], timeout=_BUILD_SECONDS)
            argv = [uv, "pip", "install", "--python", self.program("python"), "--requirement", REQUIREMENTS]
            process.run(argv, timeout=_BUILD_SECONDS)
            return
        process.run([sys.executable, "-m", "venv", self.venv], timeout=_BUILD_SECONDS)
        task.total(count)

        def show(line: str) -> None:
            if line.startswith("Collecting "):
                task.advance()
                task.status(line.split()[1])

        # -P: a pip.py in the folder we happen to be in is not pip
        argv = [self.program("python"), "-P", "-m", "pip", "install", "--no-compile", "--requirement", REQUIREMENTS]
        process.run(argv, timeout=_BUILD_SECONDS, on_line=show)


def _find_uv() -> Path | str | None:
    beside = Path(sys.executable).parent / "uv"
    return beside if beside.exists() else shutil.which("uv")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes; it is gone with its holder, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
