"""A published program over https: checked against its pinned checksum before anything is done with it."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ..errors import Permanent, Transient
from ..ports import Task
from .pins import Download

_SILENCE_SECONDS = 15.0  # for connecting, and between two pieces
_PIECE = 1 << 18
_MIB = 1 << 20


class Unavailable(Transient):
    """The download can't be had from here now: a build will do."""


def fetch(download: Download, into: Path, task: Task) -> None:
    """Put the program at `into`. Raises Unavailable, or Permanent when what came is not what was pinned."""
    archive = into.with_name(f"{into.name}.download")
    digest = _receive(download.url, archive, task)
    if digest != download.sha256:
        raise Permanent(
            f"{download.url} is not what it should be: its SHA-256 is {digest}, pinned is {download.sha256}",
            hint="something changes downloads on their way, or the release was replaced; "
            "put the tool on PATH or name it in the settings (tools:)",
        )
    _unpack(archive, download.member, into)
    archive.unlink(missing_ok=True)


def _receive(url: str, archive: Path, task: Task) -> str:
    """Write the body to `archive` and return its SHA-256."""
    where = urlsplit(url).hostname
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_SILENCE_SECONDS) as answer, archive.open("wb") as sink:  # noqa: S310 - pinned URLs only
            promised = int(answer.headers.get("Content-Length") or 0)
            task.total(promised / _MIB)
            while piece := answer.read(_PIECE):
                digest.update(piece)
                sink.write(piece)
                task.advance(len(piece) / _MIB)
            received = sink.tell()
    except urllib.error.HTTPError as error:
        raise Unavailable(f"{where} answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise Unavailable(f"{where} can't be reached ({_reason(error)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the download from {where} broke off ({error})") from None
    if promised and received != promised:
        raise Unavailable(f"the download from {where} broke off ({received} of {promised} bytes)")
    return digest.hexdigest()


def _reason(error: urllib.error.URLError) -> str:
    return error.reason.strerror or str(error.reason) if isinstance(error.reason, OSError) else str(error.reason)


def _unpack(archive: Path, member: str | None, into: Path) -> None:
    if member is None:
        archive.rename(into)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as files, files.open(member) as source:
            _copy(source, into)
    else:
        with tarfile.open(archive) as tar:
            inner = tar.extractfile(member)
            if inner is None:
                raise Permanent(f"{archive.name}: {member} is not a file", hint="this is a bug in pins.yaml")
            with inner:
                _copy(inner, into)


def _copy(source: IO[bytes], into: Path) -> None:
    with into.open("wb") as sink:
        shutil.copyfileobj(source, sink)
