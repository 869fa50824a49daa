"""The observed branch as far as it is believed: anybody may have pushed to it, and only some of it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from . import records
from .branch import Branch
from .history import trailers, versions
from .objects import Objects, blob_id
from .vouched import Trust, Vouched


class Believed:
    """Reads records in one clone: of the commits that `trust` allows, and within bounds. `log` hears of the others."""

    def __init__(self, trust: Trust, log: Callable[[str], None]) -> None:
        self._trust = trust
        self._vouched = Vouched(trust, log)
        self._doubts = records.Doubts(log)

    def __bool__(self) -> bool:
        """Are records verified?"""
        return bool(self._trust)

    def read(self, branch: Branch, tip: str | None, folder: str) -> dict[str, bytes]:
        """The files of a cluster's folder that count, where the branch is at `tip`."""
        objects = _objects(branch)
        commit = self._vouched.commit(branch, objects, tip, folder)
        return records.read(objects, commit, folder, self._doubts.at(branch, commit)) if commit else {}

    def history(self, branch: Branch, path: str) -> Iterator[tuple[str, bytes]]:
        """What a file held, from the commit on that counts."""
        objects = _objects(branch)
        tip = self._vouched.commit(branch, objects, branch.known(), path.partition("/")[0])
        return versions(objects, tip, path) if tip else iter(())

    def trailers(self, branch: Branch, folder: str, name: str) -> Iterator[str]:
        """What the commits that changed a folder say in a trailer, from the one on that counts."""
        objects = _objects(branch)
        tip = self._vouched.commit(branch, objects, branch.known(), folder)
        return trailers(objects, tip, folder, name) if tip else iter(())

    def stands(self, branch: Branch, tip: str, folder: str, content: Mapping[str, bytes]) -> bool:
        """Does `tip` have this content, and does it count?"""
        return self.holds(branch, tip, folder, content) and (not self or self.read(branch, tip, folder) == content)

    def holds(self, branch: Branch, tip: str, folder: str, content: Mapping[str, bytes]) -> bool:
        """Does `tip` have this content?"""
        return records.holds(_objects(branch), tip, folder, content)

    def remember(self, branch: Branch, tip: str | None, folder: str = "") -> None:
        """Let what counts at `tip` be known whatever becomes of the branch: of one folder, or of all that were asked
        for so far."""
        if folder:
            self._vouched.commit(branch, _objects(branch), tip, folder)
        else:
            self._vouched.follow(branch, _objects(branch), tip)

    def trusts(self, branch: Branch, commit: str) -> bool:
        """Is the commit signed by a key that counts?"""
        return self._vouched.trusts(branch, _objects(branch), commit)

    def disregard(self, branch: Branch, path: str, content: bytes, why: str) -> None:
        """Tell `log`, once for each content, that it counts as nothing."""
        self._doubts.at(branch, branch.known() or "")(path, blob_id(content), why)


def _objects(branch: Branch) -> Objects:
    return Objects(branch.dirs.common / "objects")
