"""The files of a commit as those who use them see them: each is judged, and opened, when somebody reads it.

So what is wrong with a file (a link, a secret in plain text, what SOPS can't open) stops the clusters that use it, and
no others; and what nobody uses is never decrypted.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field

from ..errors import Invalid, Problem
from . import helmignore, secrets
from .yaml import SUFFIXES, Unreadable, parse

DESIRED = "desired"
MANIFESTS = "manifests"


@dataclass
class Checked:
    """Which contents were found to hold no secret in plain text: none is searched twice. For several threads."""

    _clean: set[bytes] = field(default_factory=set)

    def check(self, path: str, text: bytes) -> None:
        """Raises Invalid for what looks like a secret in plain text, in YAML or JSON below desired/ and manifests/."""
        if not (path.startswith((f"{DESIRED}/", f"{MANIFESTS}/")) and path.endswith(SUFFIXES)):
            return
        name = hashlib.sha256(f"{path}\0".encode() + text).digest()
        if name in self._clean:
            return
        if problems := _plain_secrets(path, text):
            raise Invalid("there is a secret in plain text", problems=problems)
        self._clean.add(name)


class Raw(Mapping[str, bytes]):
    """Files as git has them. Reading one raises Invalid where it can't be had, or holds a secret in plain text."""

    def __init__(
        self, files: Mapping[str, bytes], refused: Mapping[str, Problem] | None = None, checked: Checked | None = None
    ) -> None:
        self._files = files
        self._refused = {**(refused or {})}
        self._checked = checked or Checked()
        self._paths = sorted({*files, *self._refused})

    def __getitem__(self, path: str) -> bytes:
        if problem := self._refused.get(path):
            raise Invalid(problem.message, hint=problem.hint, problems=[problem])
        text = self._files[path]
        if not self.left_out(path):
            self._checked.check(path, text)
        return text

    def left_out(self, path: str) -> bool:
        """Is the file no part of the chart that it lies in? Who makes another thing of it calls `refuse_plain`."""
        return helmignore.left_out(path, self, self._files.__getitem__)

    def __contains__(self, path: object) -> bool:
        return path in self._files or path in self._refused

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class Opened(Mapping[str, bytes]):
    """Files in the clear: what SOPS keeps is decrypted when it is read, by `open_`, and kept in memory. Reading one
    raises what `Raw` raises, and what `open_` does. For several threads."""

    def __init__(self, raw: Mapping[str, bytes], open_: Callable[[str, bytes], bytes]) -> None:
        self._raw = raw
        self._open = open_
        self._clear: MutableMapping[str, bytes] = {}
        self._one_at_a_time = threading.Lock()

    def __getitem__(self, path: str) -> bytes:
        with self._one_at_a_time:
            if path not in self._clear:
                self._clear[path] = self._open(path, self._raw[path])
            return self._clear[path]

    def __contains__(self, path: object) -> bool:
        return path in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def below(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files below a folder, by their whole paths. No other file is read. Raises what reading one raises."""
    prefix = f"{folder.rstrip('/')}/"
    return {path: files[path] for path in files if path.startswith(prefix)}


def mistakes(files: Mapping[str, bytes]) -> list[Problem]:
    """What is wrong with any of the files, used or not."""
    problems: list[Problem] = []
    for path in files:
        try:
            files[path]
        except Invalid as error:
            problems += error.problems
    return problems


def refuse_plain(files: Mapping[str, bytes], paths: Iterable[str]) -> None:
    """Raises Invalid for a secret in plain text in `paths` that a chart's .helmignore kept from being looked at."""
    unseen = (p for p in paths if p.endswith(SUFFIXES) and helmignore.left_out(p, files, files.__getitem__))
    if problems := [problem for path in unseen for problem in _plain_secrets(path, files[path])]:
        raise Invalid("there is a secret in plain text", problems=problems)


def _plain_secrets(path: str, text: bytes) -> list[Problem]:
    try:
        return [problem for document in parse(path, text) for problem in secrets.check(document, text)]
    except Unreadable:  # a template of environments is no YAML yet; a mistake is told where it is loaded
        return secrets.check_text(path, text)
