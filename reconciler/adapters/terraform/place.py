"""Where a workspace's state is, and how it gets from where it was to where it is to be, without a moment in which it is
in neither place.

The state goes through our memory, never through a file. What lies at the new place already wins: another machine moved
it there before, and what is live but missing in it is imported.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import Permanent
from ...ports import Backend, Progress, Workspace
from . import documents, folder
from .encryption import VARIABLE, Encryption
from .program import Program

_LOCK_TIMEOUT = "60s"


@dataclass(frozen=True, slots=True)
class Place:
    """A backend (None: the workspace's folder), and whether the state there is encrypted."""

    backend: Backend | None
    encrypted: bool

    @property
    def plain_file(self) -> bool:
        """Is it a file that can be read without any program?"""
        return self.backend is None and not self.encrypted

    def __str__(self) -> str:
        named = self.backend.kind if self.backend else "the local folder"
        return f"{named}, encrypted" if self.encrypted else named


class Keeper:
    """The state of one workspace, wherever it is. `wanted` names the providers an `init` would choose."""

    def __init__(self, program: Program, workspace: Workspace, encryption: Encryption | None, wanted: str) -> None:
        self._program = program
        self._root = workspace.directory
        self._encryption = encryption
        self._wanted = wanted
        self.place = Place(workspace.backend, encryption is not None)

    def settle(self, progress: Progress) -> None:
        """Have the state where it is to be, and the folder ready for it. Raises Transient or Permanent; then it is
        still where it was."""
        before = _noted(self._root)
        if before is None or before == self.place:
            self._ready(self.place, progress)
        else:
            self._move(before, progress)
        _note(self._root, self.place)

    def pull(self) -> dict[str, Any]:
        """The whole state, in memory. Empty where there is none."""
        if self.place.plain_file:
            return folder.read(self._root)
        return self._pulled(self.place)

    def _move(self, before: Place, progress: Progress) -> None:
        progress.log(f"moving Terraform's state: {before} → {self.place}")
        if before.encrypted and not self._encryption:
            hint = "name the key in the settings, under terraform.encryption"
            raise Permanent("the state is encrypted, and the settings have no key for it", hint=hint)
        same = before.backend == self.place.backend
        sealing = self._encryption is not None and not before.encrypted
        self._ready(before, progress, plain_too=sealing)
        held = self._pulled(before, plain_too=sealing)
        with contextlib.nullcontext() if same else folder.local_aside(self._root):
            self._ready(self.place, progress, plain_too=same and sealing)
            there = {} if same else self._pulled(self.place)
            if not there.get("resources") and held.get("resources"):
                self._push(held, same=same, plain_too=same and sealing)
            elif held.get("resources"):
                progress.log("there is a state already, which counts; what is live and not in it is imported")
        if before.backend is None:
            folder.drop_local(self._root, keep_state=same)

    def _push(self, held: Mapping[str, Any], *, same: bool, plain_too: bool) -> None:
        """Put a state where it is to be, and look whether it is there. At the place it had before it is another one."""
        text = json.dumps({**held, "serial": int(held.get("serial", 0)) + 1} if same else held)
        secret = self._secret(plain_too=plain_too)
        self._program("state push", None, "-", stdin=text, environment=secret, lock_timeout=_LOCK_TIMEOUT)
        found = self._pulled(self.place)
        if (folder.addresses(found), folder.ids(found)) != (folder.addresses(held), folder.ids(held)):
            hint = "it is still where it was; look at what answers there, and try again"
            raise Permanent(f"the state did not arrive at {self.place} as it was sent", hint=hint)

    def _pulled(self, place: Place, *, plain_too: bool = False) -> dict[str, Any]:
        """A state that is to be encrypted and is not yet can be read while it is moved."""
        done = self._program("state pull", None, environment=self._secret(plain_too=plain_too))
        return documents.state(documents.decoded(done.stdout or "{}"), str(place))

    def _ready(self, place: Place, progress: Progress, *, plain_too: bool = False) -> None:
        """Let Terraform know of a place, and get the providers."""
        folder.write_backend(self._root, place.backend)
        wanted = folder.with_backend(self._wanted, place.backend)
        if folder.providers_ready(self._root, wanted):
            return
        with progress.task(f"{self._program.name} init"):
            secret = self._secret(plain_too=plain_too)
            self._program("init", None, upgrade=True, reconfigure=True, no_color=True, environment=secret)
        folder.mark_ready(self._root, wanted)

    def _secret(self, *, plain_too: bool) -> dict[str, str]:
        return {VARIABLE: self._encryption.configuration(plain_too=plain_too)} if self._encryption else {}


def _noted(root: Path) -> Place | None:
    """Where the state was when we last looked; None where there was none, or it was on other machines only."""
    said = folder.note(root)
    if said is not None:
        kind, config = said.get("backend") or "", said.get("config") or {}
        backend = Backend(kind, config) if kind else None
        return Place(backend, folder.encrypted(root) if backend is None else bool(said.get("encrypted")))
    return Place(None, folder.encrypted(root)) if folder.has_state(root) else None


def _note(root: Path, place: Place) -> None:
    backend = place.backend
    said = {"backend": backend.kind, "config": dict(backend.config)} if backend else {}
    folder.write_note(root, {**said, "encrypted": place.encrypted})
