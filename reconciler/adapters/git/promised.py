"""What a partial clone (`git clone --filter=blob:none`) left with its remote, brought here when it is read."""

from __future__ import annotations

import re
from pathlib import Path

from .commands import DEADLINE_SECONDS, Git

_PROMISES = re.compile(r"^\s*promisor\s*=\s*true\s*$", re.IGNORECASE | re.MULTILINE)
_SECTION = re.compile(r'^\s*\[remote\s+"([^"]+)"\]([^\[]*)', re.MULTILINE)
_ROUNDS = 20  # a clone that leaves out folders as well names what is in them when it has them


def remotes(folder: Path) -> tuple[str, ...]:
    """The remotes that promised the git folder what it lacks; none for a clone that is no partial one."""
    try:
        config = (folder / "config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(name for name, settings in _SECTION.findall(config) if _PROMISES.search(settings))


def fetch(folder: Path, id_: str) -> bool:
    """Bring one object, and say whether it came: git asks for what it lacks by itself."""
    return Git(folder, DEADLINE_SECONDS)("cat-file", "-e", id_).ok


def complete(folder: Path, commit: str) -> None:
    """Bring all files of a commit at once, where the clone lacks any: one by one, each would be a request. What does
    not come is missed by who reads it."""
    for remote in remotes(folder):
        git = Git(folder, DEADLINE_SECONDS)
        for _ in range(_ROUNDS):
            listed = git("rev-list", "--objects", "--missing=print", "--no-object-names", f"{commit}^{{tree}}")
            missing = [line[1:] for line in listed.output.splitlines() if line.startswith("?")]
            if not missing:
                return
            answer = git(
                "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-gc",
                "--filter=blob:none", "--stdin", remote,
                stdin="".join(f"{id_}\n" for id_ in missing).encode(), settings=("fetch.negotiationAlgorithm=noop",),
            )  # fmt: skip
            if not answer.ok:
                break


def hint(folder: Path) -> str:
    """What helps where an object is missing."""
    if partial := remotes(folder):
        return (
            f"this clone leaves files with its remote, which does not give this one: is {partial[0]!r} reachable from "
            "here? A clone made without --filter has them all"
        )
    return "`git fetch`, or `git fetch --unshallow` in a shallow clone; `git fsck` says what else is damaged"
