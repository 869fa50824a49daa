"""A world of one's own for each test: PATH, a cache, two pinned tools, and a `go` that only pretends to compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.ports import Task
from reconciler.progress import QuietProgress
from reconciler.toolchain import Toolbox
from reconciler.toolchain.pins import Download, Module, Pins, Tool
from reconciler.toolchain.pins import system as this_system

# Notes each build in the file `builds`; makes one executable for each package, as `go build -o DIR/` does.
FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo "${FAKE_GO_VERSION:-go1.26.8}"; exit 0; fi
echo "$@" >> "@BUILDS@"
if [ -n "$FAKE_GO_SAYS" ]; then echo "$FAKE_GO_SAYS" >&2; exit 1; fi
if [ -p "@GATE@" ]; then read -r _ < "@GATE@"; fi
while [ "$1" != -o ]; do shift; done
into=$2; shift 2
for package in "$@"; do
  echo "$package" >&2
  echo "#!/bin/sh\necho ${package##*/} v1.2.3" > "$into${package##*/}"
done
"""


@dataclass
class Heard(QuietProgress):
    """Progress that remembers what was said."""

    lines: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    def log(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        self.tasks.append(title)
        with super().task(title) as task:
            yield task


@dataclass
class World:
    root: Path
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        for folder in ("path", "module"):
            (self.root / folder).mkdir()
        for name in ("go.mod", "go.sum"):
            (self.root / "module" / name).write_text("")

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def gate(self) -> Path:
        """Make it a pipe (os.mkfifo) and builds wait until something is written to it."""
        return self.root / "gate"

    @property
    def builds(self) -> list[str]:
        file = self.root / "builds"
        return file.read_text().splitlines() if file.exists() else []

    def program(self, name: str, says: str) -> Path:
        """Put a program on PATH that says something."""
        return script(self.root / "path" / name, f"#!/bin/sh\necho '{says}'\n")

    def go(self) -> None:
        text = FAKE_GO.replace("@BUILDS@", str(self.root / "builds")).replace("@GATE@", str(self.gate))
        script(self.root / "path" / "go", text)

    def tool(self, name: str = "spade", download: Download | None = None, accept: str = "minor") -> Tool:
        return Tool(
            name=name,
            version="1.2.3",
            accept="exact" if accept == "exact" else "minor",
            module=Module("garden", self.root / "module", packages=2),
            package=f"example.org/garden/{name}",
            ask=("--version",),
            says=rf"{name} v(\d+\.\d+\.\d+)",
            downloads={"/".join(this_system()): download} if download else {},
        )

    def toolbox(self, *tools: Tool, overrides: dict[str, Path] | None = None) -> Toolbox:
        tools = tools or (self.tool(), self.tool("rake"))
        pins = Pins({tool.name: tool for tool in tools})
        return Toolbox(self.cache, overrides=overrides, progress=self.heard, pins=pins)


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Nothing is on PATH, and there is no Go."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr("reconciler.toolchain.build._INSTALLED", str(tmp_path / "path"))
    return World(tmp_path)
