"""Helm as a function: chart and values in, text out, in a private folder, without cluster or network; what was rendered
is kept."""

from __future__ import annotations

import contextlib
import importlib.resources
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ... import process
from ...confine import Limits
from ...errors import Invalid
from ...model.hosts import ANY_PUBLIC, Hosts
from ...ports import Rendering
from ...toolchain.kept import Kept, name_of
from .archives import Archives
from .web import Web

_SECONDS = 120.0
_NOBODY = "http://127.0.0.1:9"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")
_SOURCE = re.compile(rb"^---\n# Source: (.+)$", re.MULTILINE)
# The two renders are 26 hours apart by the clock on the wall, so that not even the date is the same.
_ZONES = ("Etc/GMT+12", "Etc/GMT-14")
_A_SECOND = 1.05


class Helm:
    """Renders charts. `program` gets helm, or None where it is not to be had; it is asked for what is not in `cache`
    only. `version` says which helm it is. `online`: whether an archive that is not in the cache may be fetched, from
    one of `hosts`."""

    def __init__(
        self,
        program: Callable[[], Path | None],
        version: str,
        cache: Path,
        *,
        online: bool,
        hosts: Hosts = ANY_PUBLIC,
    ) -> None:
        self._program = program
        self._version = version
        self._kept = Kept(cache / "rendered")
        self._archives = Archives(cache / "charts", Web(hosts) if online else None)

    def render(self, wanted: Rendering) -> bytes | None:
        """See ports.Helm. A chart is rendered twice, and refused where the two differ: such a chart would look changed
        at every look."""
        name = self._name(wanted)
        if kept := self._kept.get(name):
            return kept
        program = self._program()
        if program is None:
            return None
        with _private() as root:
            chart = self._chart(wanted, root)
            if chart is None:
                return None
            text = _twice(program, chart, wanted, root)
        self._kept.put(name, text)
        return text

    def _name(self, wanted: Rendering) -> str:
        archive = [wanted.archive.sha256] if wanted.archive else []
        parts = [*archive, "", *(part for file in sorted(wanted.files.items()) for part in file)]
        given = [self._version, wanted.release, wanted.namespace, wanted.kubernetes, *wanted.api_versions, ""]
        return name_of([*given, *wanted.values, "", *parts])

    def _chart(self, wanted: Rendering, root: Path) -> Path | None:
        """Where the chart lies for helm to read; None for an archive that is not here and may not be fetched."""
        if wanted.archive:
            return self._archives.ensure(wanted.archive, root)
        _write(root / "chart", wanted.files)
        return root / "chart"


@contextlib.contextmanager
def _private() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="reconciler-helm-") as name:
        yield Path(name).resolve()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)


def _environment(root: Path, **more: str) -> dict[str, str]:
    """Helm's folders are ours and temporary: no plugin, no repository and no login of this machine's user counts."""
    folders = {f"HELM_{kind}_HOME": str(root / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    plugins = {"HELM_PLUGINS": str(root / "plugins"), "KUBECONFIG": str(root / "no-kubeconfig")}
    return {"PATH": "/nonexistent", "HOME": str(root), "TMPDIR": str(root), **folders, **plugins, **more}


def _twice(program: Path, chart: Path, wanted: Rendering, root: Path) -> bytes:
    started = time.monotonic()
    first = _rendered(program, chart, wanted, root, _ZONES[0])
    time.sleep(max(0.0, started + _A_SECOND - time.monotonic()) if _tells_time(wanted) else 0.0)
    second = _rendered(program, chart, wanted, root, _ZONES[1])
    if first != second:
        raise Invalid(f"it makes something else each time, in {_differing(first, second)}")
    return first


def _tells_time(wanted: Rendering) -> bool:
    return wanted.archive is not None or any(
        b"now" in text or path.endswith(".tgz") for path, text in wanted.files.items()
    )


def _rendered(program: Path, chart: Path, wanted: Rendering, root: Path, zone: str) -> bytes:
    argv: list[str | Path] = [program, "template", wanted.release, chart, "--namespace", wanted.namespace]
    argv += ["--kube-version", f"v{wanted.kubernetes}", "--include-crds", "--skip-tests"]
    for version in wanted.api_versions:
        argv += ["--api-versions", version]
    for number, text in enumerate(wanted.values):
        file = root / f"values-{number}.yaml"
        file.write_bytes(text)
        argv += ["--values", file]
    clock = {"TZ": str(importlib.resources.files("tzdata") / "zoneinfo" / zone)}
    environment = _environment(root, **dict.fromkeys(_PROXIES, _NOBODY), **clock)
    try:
        done = process.run(argv, cwd=root, env=environment, timeout=_SECONDS, check=False, limits=Limits())
    except process.Exceeded as error:
        raise Invalid(error.message, hint="is there a loop in its templates, or in its values?") from None
    if done.exit_code:
        raise Invalid(_words(done, root))
    return done.stdout.encode()


def _words(done: process.Completed, root: Path) -> str:
    """What helm said, on one line, without the private folder's name."""
    lines = [line for line in done.stderr.splitlines() if line and not _NOISE.match(line)]
    said = " ".join(" ".join(lines).split()) or f"exit code {done.exit_code}"
    return said.replace(f"{root}/", "").removeprefix("Error: ")


_NOISE = re.compile(r"WARNING|walk\.go|Use --debug flag|level=WARN|time=\S+ level=(WARN|INFO)")


def _differing(first: bytes, second: bytes) -> str:
    """The files of the chart in which two renders differ."""
    one, other = _sections(first), _sections(second)
    found = dict.fromkeys(name for (name, text), (_, again) in zip(one, other, strict=False) if text != again)
    return ", ".join(found) or "the number of objects"


def _sections(text: bytes) -> Sequence[tuple[str, bytes]]:
    parts = _SOURCE.split(text)
    return [(name.decode(errors="replace"), body) for name, body in zip(parts[1::2], parts[2::2], strict=True)]
