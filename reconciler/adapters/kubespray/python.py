"""The Python environment Kubespray runs in: its own, since its release decides which Ansible it is."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from functools import partial
from pathlib import Path

from ... import process
from ...errors import Permanent, ReconcilerError, Transient
from ...ports import Progress, Task
from ...toolchain.store import Store

_OLDEST, _NEWEST = (3, 11), (3, 13)  # what ansible 11 and the packages beside it run on
_INSTALL_SECONDS = 1800.0
_NETWORK = (
    "timed out|NewConnectionError|ConnectTimeout|ConnectionError|Connection (refused|reset|aborted|broken)"
    "|name resolution|Name or service not known|Network is unreachable|error sending request|dns error"
    "|Failed to fetch|Proxy ?Error|HTTP error 5"
)


def asks_for_ansible(requirements: Path) -> bool:
    """Whether the file is there and names Ansible, as Kubespray's does."""
    try:
        text = requirements.read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return re.search(r"^\s*ansible(-core)?\s*([=<>~!;@\[#]|$)", text, re.MULTILINE | re.IGNORECASE) is not None


class Python:
    """One virtual environment per content of `requirements` and Python version, in `store`, shared by all clusters."""

    def __init__(self, requirements: Path, store: Store) -> None:
        self._requirements = requirements
        self._store = store

    def ensure(self, progress: Progress) -> Path:
        """Return the folder of its programs. It is built unless it is there; one that was interrupted is started over;
        one process builds, others wait. Raises Permanent (no Python it runs on, a package that can't be had),
        Transient (network)."""
        python, version = interpreter()
        digest = hashlib.sha256(self._requirements.read_bytes() + version.encode()).hexdigest()[:16]
        venv = self._store.root / f"python{version}-{digest}"
        if not _complete(venv):
            waiting = partial(progress.log, "Kubespray's Ansible: waiting for another process that installs it")
            with self._store.scratch(venv.name, waiting):
                if not _complete(venv):
                    self._build(venv, python, progress)
        return venv / "bin"

    def _build(self, venv: Path, python: Path, progress: Progress) -> None:
        shutil.rmtree(venv, ignore_errors=True)
        with progress.task("installing Kubespray's Ansible") as task:
            try:
                _install(venv, python, self._requirements, task)
            except ReconcilerError as error:
                raise _refused(error) from None
        (venv / ".complete").touch()


def interpreter() -> tuple[Path, str]:
    """The Python to build with, and its version as in 3.11: ours if it fits, else one on PATH. Raises Permanent."""
    ours = sys.version_info[:2]
    if _OLDEST <= ours <= _NEWEST:
        return Path(sys.executable), f"{ours[0]}.{ours[1]}"
    for minor in range(_NEWEST[1], _OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            return Path(found), f"3.{minor}"
    raise Permanent(
        f"Kubespray's Ansible runs on Python 3.11 to 3.13, and here is only {ours[0]}.{ours[1]}",
        hint="install one of these beside it (as python3.13 on PATH, say), or run the reconciler with it",
    )


def _complete(venv: Path) -> bool:
    # the Python it was made with may have been removed since: then the link leads nowhere
    return (venv / ".complete").exists() and (venv / "bin" / "python").exists()


def _install(venv: Path, python: Path, requirements: Path, task: Task) -> None:
    uv = _find_uv()
    if uv is not None:
        process.run([uv, "venv", "--quiet", "--python", python, venv], timeout=_INSTALL_SECONDS)
        argv = [uv, "pip", "install", "--python", venv / "bin" / "python", "--requirement", requirements]
        process.run(argv, timeout=_INSTALL_SECONDS)
        return
    process.run([python, "-m", "venv", venv], timeout=_INSTALL_SECONDS)

    def show(line: str) -> None:
        if line.startswith("Collecting "):
            task.status(line.split()[1])

    # -P: a pip.py in the folder we happen to be in is not pip
    argv = [venv / "bin" / "python", "-P", "-m", "pip", "install", "--requirement", requirements]
    process.run(argv, timeout=_INSTALL_SECONDS, on_line=show)


def _find_uv() -> Path | str | None:
    beside = Path(sys.executable).parent / "uv"
    return beside if beside.exists() else shutil.which("uv")


def _refused(error: ReconcilerError) -> ReconcilerError:
    if error.evidence is None:  # pip was never at fault: somebody asked us to stop
        return error
    said = "\n".join(error.evidence.last_lines)
    kind = Transient if isinstance(error, Transient) or re.search(_NETWORK, said) else Permanent
    return kind(
        "Kubespray's Ansible can't be installed",
        hint="its packages come from where pip (or uv) is configured to look; a closed network needs a mirror there",
        evidence=error.evidence,
    )
