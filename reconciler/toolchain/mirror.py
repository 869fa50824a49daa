"""Providers as a filesystem mirror, so that neither OpenTofu nor Terraform asks a registry for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .pins import Tool, system

_HOSTS = ("registry.opentofu.org", "registry.terraform.io")
_CONFIG = """\
disable_checkpoint = true

provider_installation {{
  filesystem_mirror {{
    path = "{path}"
  }}
}}
"""


def make(root: Path, providers: Mapping[Tool, Path]) -> tuple[Path, Path]:
    """Lay out `providers` below `root`. Returns the mirror's folder and a CLI configuration file that names it.

    Another set of files gets another folder: a mirror that somebody uses never changes under their feet.
    """
    place = root / _identity(providers)
    mirror, config = place / "providers", place / "cli.tfrc"
    if not place.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=root) as scratch:
            fresh = Path(scratch) / "new"
            for tool, program in providers.items():
                for host in _HOSTS:
                    _add(fresh / mirror.name / host, tool, program)
            (fresh / config.name).write_text(_CONFIG.format(path=mirror))
            _publish(fresh, place)
    return mirror, config


def _identity(providers: Mapping[Tool, Path]) -> str:
    facts = [
        f"{tool.name} {tool.version} {path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for tool, path in sorted(providers.items(), key=lambda item: item[0].name)
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]


def _add(registry: Path, tool: Tool, program: Path) -> None:
    """A hard link where that is possible: OpenTofu finds nothing through a symbolic one."""
    folder = registry / str(tool.provider) / tool.version / "_".join(system())
    folder.mkdir(parents=True)
    try:
        os.link(program.resolve(), folder / tool.program)
    except OSError:
        shutil.copy(program, folder / tool.program)


def _publish(fresh: Path, place: Path) -> None:
    try:
        fresh.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was first, with the very same content
            raise
