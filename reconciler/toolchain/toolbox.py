"""One way to get a program: settings, PATH, cache, pinned download, build. The first of the right version wins."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from ..ports import Progress
from . import build, download, mirror, probe
from .pins import Pins, Tool, load
from .side_by_side import side_by_side
from .store import Store, link


@dataclass(frozen=True)
class Found:
    """A program to start. `seconds` is what getting it took in this run: 0 when it was there."""

    name: str
    version: str
    path: Path
    source: Literal["settings", "path", "cache", "download", "build"]
    seconds: float = 0.0


class Toolbox:
    """Gets programs. `overrides` are the settings' paths (or names on PATH) by tool: taken whatever their version."""

    def __init__(
        self, cache: Path, *, overrides: Mapping[str, Path] | None = None, progress: Progress, pins: Pins | None = None
    ) -> None:
        self._cache = cache.expanduser().absolute()
        self._store = Store(self._cache / "tools")
        self._pins = pins or load()
        self._overrides = {self._pins[name].name: path for name, path in (overrides or {}).items()}
        self._progress = progress
        self._known: dict[str, Found] = {}
        self._candidates: dict[str, probe.Candidate | None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Every pinned program that everybody needs."""
        return tuple(sorted(name for name, tool in self._pins.tools.items() if not tool.on_demand))

    def find(self, name: str) -> Found | None:
        """Return the program if it is on this machine; never downloads or builds. Raises Invalid for an unknown name
        and for a path in the settings that is not a program."""
        if name not in self._known:
            found = self._look(self._pins[name])
            if found is None:
                return None
            self._known[name] = found
        return self._known[name]

    def passed_over(self, name: str) -> str | None:
        """Say why a program of that name on PATH is not used; None when there is none, or it is."""
        tool = self._pins[name]
        candidate = None if name in self._overrides else self._on_path(tool)
        if candidate is None or candidate.fits:
            return None
        says = candidate.version or "of unknown version"
        return f"{candidate.path} is {says}, wanted is {tool.wanted}"

    def ensure(self, *names: str) -> dict[str, Found]:
        """Return the programs by name; what is missing is downloaded or built, and kept in the cache.

        Raises Permanent (no Go, a wrong checksum, a build that fails), Transient (network), Invalid (unknown name).
        """
        missing = [self._pins[name] for name in dict.fromkeys(names) if self.find(name) is None]
        for tool in missing:
            if reason := self.passed_over(tool.name):
                self._progress.log(f"{tool.name}: {reason}; passed over")
        groups: dict[str, list[Tool]] = {}
        for tool in sorted(missing, key=lambda tool: -tool.module.packages):  # the longest first
            groups.setdefault(tool.module.name, []).append(tool)
        cores = os.cpu_count() or 1
        at_once = min(2, cores)
        share = [cores] + [max(1, cores // 2)] * len(groups)  # the longest is what everybody waits for in the end
        jobs = [partial(self._get, tools, compilers) for tools, compilers in zip(groups.values(), share, strict=False)]
        for made in side_by_side(jobs, at_once=at_once):
            self._known |= {found.name: found for found in made}
        return {name: self._known[name] for name in names}

    def bin_dir(self, *names: str) -> Path:
        """A folder for PATH with exactly these programs, the same at every call. It holds those that `find` finds:
        what is not here yet is not made (that is for `ensure`), so that a sandbox can be ended without a build."""
        tools = sorted((self._pins[name] for name in set(names)), key=lambda tool: tool.name)
        identity = "\n".join(f"{tool.name} {tool.key} {self._overrides.get(tool.name)}" for tool in tools)
        folder = self._cache / "bin" / hashlib.sha256(identity.encode()).hexdigest()[:8]
        folder.mkdir(parents=True, exist_ok=True)
        for tool in tools:
            if found := self.find(tool.name):
                link(found.path, folder / tool.name)
        return folder

    def provider_mirror(self) -> Path:
        """A filesystem mirror with the Terraform providers, for OpenTofu and Terraform alike. Makes what is missing."""
        return self._mirror()[0]

    def cli_config(self) -> Path:
        """A CLI configuration file (TF_CLI_CONFIG_FILE) that names the mirror as the only source of providers."""
        return self._mirror()[1]

    def _mirror(self) -> tuple[Path, Path]:
        found = self.ensure(*self._pins.providers)
        return mirror.make(self._cache / "mirror", {self._pins[name]: one.path for name, one in found.items()})

    def _look(self, tool: Tool) -> Found | None:
        if named := self._overrides.get(tool.name):
            candidate = probe.from_settings(tool, named)
            return Found(tool.name, candidate.version or "unknown", candidate.path, "settings")
        on_path = self._on_path(tool)
        if on_path and on_path.fits and on_path.version:
            return Found(tool.name, on_path.version, on_path.path, "path")
        cached = self._store.find(tool)
        return Found(tool.name, tool.version, cached, "cache") if cached else None

    def _on_path(self, tool: Tool) -> probe.Candidate | None:
        if tool.name not in self._candidates:
            self._candidates[tool.name] = probe.on_path(tool)
        return self._candidates[tool.name]

    def _get(self, tools: Sequence[Tool], jobs: int) -> list[Found]:
        """Get programs of one module, unless another process does so first."""
        module = tools[0].module
        waiting = partial(self._progress.log, f"{module.name}: waiting for another process that makes it")
        with self._store.scratch(module.name, waiting) as scratch:
            got = [found for tool in tools if (found := self._cached(tool) or self._download(tool, scratch))]
            rest = [tool for tool in tools if tool.name not in {found.name for found in got}]
            return got + (self._build(rest, scratch, jobs) if rest else [])

    def _cached(self, tool: Tool) -> Found | None:
        place = self._store.find(tool)
        return Found(tool.name, tool.version, place, "cache") if place else None

    def _download(self, tool: Tool, scratch: Path) -> Found | None:
        if tool.download is None:
            return None
        started, program = time.monotonic(), scratch / tool.name
        try:
            with self._progress.task(f"download {tool.name} {tool.version}") as task:
                download.fetch(tool.download, program, task)
        except download.Unavailable as error:
            self._progress.log(f"{tool.name}: {error.message}; building it instead")
            return None
        place = self._store.add(tool, program)
        return Found(tool.name, tool.version, place, "download", time.monotonic() - started)

    def _build(self, tools: Sequence[Tool], scratch: Path, jobs: int) -> list[Found]:
        started, into = time.monotonic(), scratch / "built"
        into.mkdir()
        with self._progress.task(f"build {', '.join(tool.name for tool in tools)} {tools[0].version}") as task:
            programs = build.build(tools[0].module, tools, into, jobs=jobs, task=task)
            seconds = time.monotonic() - started
            return [
                Found(tool.name, tool.version, self._store.add(tool, programs[tool.name]), "build", seconds)
                for tool in tools
            ]
