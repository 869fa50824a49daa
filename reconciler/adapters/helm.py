"""Helm as a function: chart and values in, text out, in a private folder, without cluster or network; what was rendered
is kept, and so are the archives of charts, by the digest that pins them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from .. import process
from ..errors import Invalid, Permanent, Transient
from ..ports import Archive, Rendering
from ..toolchain.kept import Kept, name_of

_SECONDS = 120.0
_NOBODY = "http://127.0.0.1:9"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_OF_THE_MACHINE = (*_PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR")  # what a download may need
_UNREACHABLE = re.compile(r"dial tcp|i/o timeout|TLS handshake|connection re(fused|set)|no such host|proxyconnect|EOF")
_SOURCE = re.compile(rb"^---\n# Source: (.+)$", re.MULTILINE)
# The two renders are 26 hours apart by the clock on the wall, so that not even the date is the same.
_ZONES = ("Etc/GMT+12", "Etc/GMT-14")
_A_SECOND = 1.05


class Helm:
    """Renders charts. `program` gets helm, or None where it is not to be had; it is asked for what is not in `cache`
    only. `version` says which helm it is. `online`: whether an archive that is not in the cache may be fetched."""

    def __init__(self, program: Callable[[], Path | None], version: str, cache: Path, *, online: bool) -> None:
        self._program = program
        self._version = version
        self._kept = Kept(cache / "rendered")
        self._archives = cache / "charts"
        self._online = online

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
            chart = self._chart(program, wanted, root)
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

    def _chart(self, program: Path, wanted: Rendering, root: Path) -> Path | None:
        """Where the chart lies for helm to read; None for an archive that is not here and may not be fetched."""
        if wanted.archive:
            return self._archive(program, wanted.archive, root)
        _write(root / "chart", wanted.files)
        return root / "chart"

    def _archive(self, program: Path, archive: Archive, root: Path) -> Path | None:
        place = self._archives / f"{archive.sha256}.tgz"
        with contextlib.suppress(OSError):
            if _sha256(place) == archive.sha256:
                return place
        if not self._online:
            return None
        found = _pulled(program, archive, root)
        if (digest := _sha256(found)) != archive.sha256:
            what = f"{archive.name} {archive.version} of {archive.repository}"
            hint = f"it is sha256:{digest}: see what changed in it, and why, before you pin that"
            raise Permanent(f"{what} is not the archive that is pinned", hint=hint)
        with contextlib.suppress(OSError):
            self._archives.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, made = tempfile.mkstemp(dir=self._archives, prefix=".")
            with os.fdopen(handle, "wb") as file:
                file.write(found.read_bytes())
            Path(made).replace(place)
        return found


@contextlib.contextmanager
def _private() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="reconciler-helm-") as name:
        yield Path(name).resolve()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _environment(root: Path, **more: str) -> dict[str, str]:
    """Helm's folders are ours and temporary: no plugin, no repository and no login of this machine's user counts."""
    folders = {f"HELM_{kind}_HOME": str(root / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    plugins = {"HELM_PLUGINS": str(root / "plugins"), "KUBECONFIG": str(root / "no-kubeconfig")}
    return {"PATH": "/nonexistent", "HOME": str(root), "TMPDIR": str(root), **folders, **plugins, **more}


def _pulled(program: Path, archive: Archive, root: Path) -> Path:
    """Fetch the archive. Raises Transient when the repository can't be reached, Permanent when it has no such chart."""
    into = root / "pulled"
    into.mkdir()
    oci = archive.repository.startswith("oci://")
    chart = (
        [f"{archive.repository.rstrip('/')}/{archive.name}"] if oci else [archive.name, "--repo", archive.repository]
    )
    argv: list[str | Path] = [program, "pull", *chart, "--version", archive.version, "--destination", into]
    given = {name: os.environ[name] for name in _OF_THE_MACHINE if name in os.environ}
    done = process.run(argv, cwd=root, env=_environment(root, **given), timeout=_SECONDS, check=False)
    found = next(into.glob("*.tgz"), None)
    if done.exit_code or found is None:
        said = _words(done, root)
        message = f"the chart {archive.name} {archive.version} can't be had from {archive.repository}: {said}"
        if _UNREACHABLE.search(said):
            raise Transient(message, hint="the next cycle tries again; what was fetched once is kept")
        raise Permanent(message, hint="check helm.chart: repository, name and version")
    return found


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
    alone = dict.fromkeys((name for name in _PROXIES if not name.upper().startswith("NO")), _NOBODY)
    clock = {"TZ": str(importlib.resources.files("tzdata") / "zoneinfo" / zone)}
    done = process.run(argv, cwd=root, env=_environment(root, **alone, **clock), timeout=_SECONDS, check=False)
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
