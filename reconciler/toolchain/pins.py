"""The pinned programs as data: which version each has, how to recognise it and where it comes from."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from ..errors import Invalid, Permanent

_HERE = Path(__file__).resolve().parent
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Download:
    """One published file. `member` is the program's path in the archive; None when the file is the program."""

    url: str
    sha256: str
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with a go.mod and a go.sum. `packages` is about how many a build from nothing compiles."""

    name: str
    folder: Path
    packages: int
    ldflags: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """One program. `ask` are the arguments that make it say its version, empty where it never does (providers);
    `provider` is its namespace/name for Terraform; `on_demand` is what most never need; `downloads` are by os/arch."""

    name: str
    version: str
    accept: Literal["exact", "minor"]
    module: Module
    package: str
    ask: tuple[str, ...] = ()
    says: str = ""
    provider: str | None = None
    on_demand: bool = False
    downloads: Mapping[str, Download] = field(default_factory=dict, hash=False)

    @property
    def download(self) -> Download | None:
        """What this machine can download, if its checksum is known."""
        return self.downloads.get("/".join(system()))

    @property
    def program(self) -> str:
        """The file's name on PATH. Terraform finds a provider by a name with its version in it."""
        return f"{self.name}_v{self.version}" if self.provider else self.name

    @property
    def wanted(self) -> str:
        """The accepted versions in words: 1.36.x, or 1.54.1."""
        return self.version if self.accept == "exact" else f"{self.version.rpartition('.')[0]}.x"

    @property
    def key(self) -> str:
        """Changes whenever another program would come out of a build: the cache goes by it."""
        parts = [self.version, self.package, self.module.ldflags]
        parts += [(self.module.folder / name).read_text() for name in ("go.mod", "go.sum")]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]

    def read_version(self, words: str) -> str | None:
        """The version in what the program said, or None."""
        found = re.search(self.says, words, re.MULTILINE)
        return found.group(1) if found else None

    def fits(self, version: str) -> bool:
        """Whether a program of this version will do."""
        parts = 3 if self.accept == "exact" else 2
        return version.split(".")[:parts] == self.version.split(".")[:parts]


@dataclass(frozen=True, slots=True)
class Pins:
    """Every tool, by name."""

    tools: Mapping[str, Tool]

    def __getitem__(self, name: str) -> Tool:
        """Raises Invalid for a tool that is not pinned."""
        if name not in self.tools:
            raise Invalid(f"there is no tool {name!r}", hint=f"the tools are {', '.join(sorted(self.tools))}")
        return self.tools[name]

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, tool in self.tools.items() if tool.provider))


@cache
def load(file: Path = _HERE / "pins.yaml") -> Pins:
    """Read pins.yaml; the modules' folders lie in `go/` beside it."""
    data = yaml.safe_load(file.read_text())
    modules = {
        name: Module(name=name, folder=file.parent / "go" / name, **fields) for name, fields in data["modules"].items()
    }
    return Pins({name: _tool(name, fields, modules) for name, fields in data["tools"].items()})


def _tool(name: str, fields: dict[str, Any], modules: Mapping[str, Module]) -> Tool:
    return Tool(
        name=name,
        version=fields["version"],
        accept=fields["accept"],
        module=modules[fields["module"]],
        package=fields["package"],
        ask=tuple(fields.get("ask", ())),
        says=fields.get("says", ""),
        provider=fields.get("provider"),
        on_demand=fields.get("on_demand", False),
        downloads={place: Download(**download) for place, download in fields.get("downloads", {}).items()},
    )


def system() -> tuple[str, str]:
    """This machine as Go names it: (os, arch). Raises Permanent for an architecture nothing is pinned for."""
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise Permanent(f"this machine's architecture {machine} is not known", hint="amd64 and arm64 are")
    return sys.platform, _ARCHITECTURES[machine]
