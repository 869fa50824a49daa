"""Programs that are already on the machine: are they what we want? They are asked, never trusted by name."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import process
from ..errors import Invalid, ReconcilerError
from .pins import Tool

_ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program on PATH. `version` is None when it would not say."""

    path: Path
    version: str | None
    fits: bool


def on_path(tool: Tool) -> Candidate | None:
    """Look for the tool on PATH and ask it for its version."""
    where = shutil.which(tool.program)
    if where is None:
        return None
    path = Path(where).absolute()
    version = version_of(tool, path)
    return Candidate(path, version, version is not None and tool.fits(version))


def from_settings(tool: Tool, named: Path) -> Candidate:
    """Take what the settings name, whatever its version: the user said so. Raises Invalid when it can't be started."""
    where = shutil.which(named.expanduser())
    if where is None:
        raise Invalid(f"the settings' tools: {tool.name}: {named} is not a program", hint="name an executable file")
    path = Path(where).absolute()
    return Candidate(path, version_of(tool, path), True)


def version_of(tool: Tool, program: Path) -> str | None:
    """Return what the program says its version is. A provider can't be asked: its file's name tells."""
    if not tool.ask:
        return tool.version if program.name == tool.program else None
    try:
        said = process.run([program, *tool.ask], timeout=_ANSWER_SECONDS, check=False)
    except ReconcilerError:
        return None
    return tool.read_version(f"{said.stdout}\n{said.stderr}")
