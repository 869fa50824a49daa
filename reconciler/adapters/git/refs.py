"""Where a ref points, read from the files git keeps: a drift check must not pay for a git process per question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import Invalid, Permanent


class Damaged(Permanent):
    """Something of the clone can't be read that should be there. The remote may have it."""


_ID = re.compile(r"[0-9a-f]{40}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_MAX_SYMBOLIC = 5  # git's own limit


@dataclass(frozen=True, slots=True)
class GitDir:
    """`own` has this worktree's HEAD; `common` has what all worktrees share: refs, objects, config."""

    own: Path
    common: Path


def locate(path: Path) -> GitDir:
    """Find the git folder of a clone, a linked worktree or a bare repository. Raises Invalid when there is none, or
    when its format is one we can't read."""
    own = _git_folder(path)
    pointer = _text(own / "commondir")
    common = (own / pointer.strip()).resolve() if pointer else own
    if not (own / "HEAD").is_file() or not (common / "objects").is_dir():
        raise Invalid(
            f"{path} is not a git repository", hint="give the root folder of a clone, or run `git init` there"
        )
    config = _text(common / "config") or ""
    for setting, value in (("objectformat", "sha256"), ("refstorage", "reftable")):
        if re.search(rf"^\s*{setting}\s*=\s*{value}\s*$", config, re.IGNORECASE | re.MULTILINE):
            raise Invalid(
                f"{path} keeps its data as {value}, which is not supported", hint="make a clone with git's defaults"
            )
    return GitDir(own, common)


def valid(name: str) -> bool:
    """Say whether git would take `name` as a ref's name."""
    parts = name.split("/")
    return (
        bool(name)
        and not _FORBIDDEN.search(name)
        and not name.startswith("-")
        and not name.endswith(".")
        and all(p and not p.startswith(".") and not p.endswith(".lock") for p in parts)
    )


def below(dirs: GitDir, prefix: str) -> Iterator[str]:
    """The names of all refs that begin with `prefix` (ending in /), without it. Starts no program."""
    folder = dirs.common / prefix
    loose = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file() and f.suffix != ".lock"}
    yield from sorted(loose | {name.removeprefix(prefix) for _, name in _packed_refs(dirs) if name.startswith(prefix)})


def follows_all(dirs: GitDir, remote: str) -> bool:
    """Does a plain fetch bring every branch of `remote`?"""
    section = re.search(rf'^\s*\[remote\s+"{re.escape(remote)}"\]([^\[]*)', _text(dirs.common / "config") or "", re.M)
    wanted = rf"^\s*fetch\s*=\s*\+refs/heads/\*:refs/remotes/{re.escape(remote)}/\*\s*$"
    return bool(section and re.search(wanted, section[1], re.MULTILINE))


def remotes(dirs: GitDir) -> tuple[str, ...]:
    """The names of the configured remotes."""
    return tuple(re.findall(r'^\s*\[remote\s+"([^"]+)"\]', _text(dirs.common / "config") or "", re.MULTILINE))


def find(dirs: GitDir, name: str, remote: str | None) -> tuple[str, str | None]:
    """Return the full name and the object id a short or full ref name stands for, by git's own order of search; a
    branch that only `remote` has comes last. Without an id where there is none."""
    places = [name, f"refs/{name}", f"refs/tags/{name}", f"refs/heads/{name}", f"refs/remotes/{name}"]
    if remote is not None:
        places.append(f"refs/remotes/{remote}/{name}")
    for place in places:
        if (place.startswith("refs/") or re.fullmatch(r"[A-Z_]+", place)) and (id_ := tip(dirs, place)):
            return place, id_
    return name, None


def tip(dirs: GitDir, ref: str) -> str | None:
    """Return the object id a full ref name points to, or None when there is no such ref. Raises Permanent when the
    ref is damaged."""
    for _ in range(_MAX_SYMBOLIC):
        text = _loose(dirs, ref)
        if text is None:
            return _packed(dirs, ref)
        if _ID.fullmatch(text):
            return text
        target = text.removeprefix("ref:").strip()
        if target == text or not valid(target):
            break
        ref = target
    raise Damaged(f"the ref {ref} is damaged", hint="`git fsck` in the clone says more; a fresh clone cures it")


def _git_folder(path: Path) -> Path:
    dot = path / ".git"
    if dot.is_file():
        pointer = (_text(dot) or "").strip()
        if not pointer.startswith("gitdir:"):
            raise Invalid(f"{dot} does not say where its git folder is", hint="clone the repository again")
        return (path / pointer.removeprefix("gitdir:").strip()).resolve()
    return dot if dot.is_dir() else path


def _loose(dirs: GitDir, ref: str) -> str | None:
    folder = dirs.common if ref.startswith("refs/") else dirs.own
    text = _text(folder / ref)
    return None if text is None else text.strip()


def _packed(dirs: GitDir, ref: str) -> str | None:
    for id_, name in _packed_refs(dirs):
        if name == ref:
            return id_
    return None


def _packed_refs(dirs: GitDir) -> Iterator[tuple[str, str]]:
    for line in (_text(dirs.common / "packed-refs") or "").splitlines():
        id_, _, name = line.partition(" ")
        if _ID.fullmatch(id_):
            yield id_, name


def _text(path: Path) -> str | None:
    """A file's text; None where there is no file. A folder in its place is no file: `a` beside `a/b` among refs."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise Permanent(f"cannot read {path}: {error.strerror}", hint="check who owns the clone") from None
