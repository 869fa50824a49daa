"""The archives of charts, kept by the digest that pins them; what is not here yet is fetched from where git says, if
that may be asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...confine import MIB
from ...errors import Permanent, Transient
from ...ports import Archive
from .index import MOST_BYTES, archive_url
from .registry import Registry, reference_of
from .web import Answer, Unreachable, Web

_MOST_BYTES = 32 * MIB  # helm itself unpacks 100 MiB at most
_CHECK = "check helm.chart: repository, name and version"
_LATER = "the next cycle tries again; what was fetched once is kept"


@dataclass(frozen=True, slots=True)
class Archives:
    """The folder they are kept in, and the web (None: nothing is fetched)."""

    folder: Path
    web: Web | None

    def ensure(self, archive: Archive, root: Path) -> Path | None:
        """Where the archive lies for helm to read, below `root` if it can't be kept; None for one that is not here and
        may not be fetched. Raises Transient when the repository can't be reached, Permanent when it has no such chart
        or another one, Invalid for a host that may not be asked."""
        place = self.folder / f"{archive.sha256}.tgz"
        with contextlib.suppress(OSError):
            if hashlib.sha256(place.read_bytes()).hexdigest() == archive.sha256:
                return place
        if self.web is None:
            return None
        content = _fetched(self.web, archive)
        if (digest := hashlib.sha256(content).hexdigest()) != archive.sha256:
            message = f"{archive.name} {archive.version} of {archive.repository} is not the archive that is pinned"
            raise Permanent(
                message, hint=f"it is sha256:{digest}: see what changed in it, and why, before you pin that"
            )
        with contextlib.suppress(OSError):
            _keep(place, content)
            return place
        alone = root / "chart.tgz"
        alone.write_bytes(content)
        return alone


def _keep(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).replace(place)


def _fetched(web: Web, archive: Archive) -> bytes:
    try:
        answer = _answer(web, archive)
    except Unreachable as error:
        raise Transient(_lost(archive, error.message), hint=_LATER) from None
    if isinstance(answer, bytes):
        return answer
    message = _lost(archive, f"{answer.url} answers {answer.status}")
    if answer.status in (408, 429) or answer.status >= 500:
        raise Transient(message, hint=_LATER)
    raise Permanent(message, hint=_CHECK)


def _answer(web: Web, archive: Archive) -> Answer | bytes:
    """The archive, or what was answered instead of it."""
    if archive.repository.startswith("oci://"):
        return Registry(web, f"{archive.repository.rstrip('/')}/{archive.name}").archive(archive.version, _MOST_BYTES)
    index = web.get(f"{archive.repository.rstrip('/')}/index.yaml", MOST_BYTES)
    if index.status != 200:
        return index
    url = archive_url(index.body, archive.repository, archive.name, archive.version)
    if url is None:
        raise Permanent(_lost(archive, "its index has none in that version"), hint=_CHECK)
    if url.startswith("oci://"):
        repository, tag = reference_of(url)
        return Registry(web, repository).archive(tag, _MOST_BYTES)
    found = web.get(url, _MOST_BYTES)
    return found.body if found.status == 200 else found


def _lost(archive: Archive, reason: str) -> str:
    return f"the chart {archive.name} {archive.version} can't be had from {archive.repository}: {reason}"
