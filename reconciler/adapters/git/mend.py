"""A clone that a kill, a full disk or a bad block left damaged: put right by its remote, keeping what can't be read
aside.

Nothing here reads git's error messages: what is damaged is looked for."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import Permanent
from .branch import Branch

_YOUNG_SECONDS = 5.0  # a lock this young may be somebody's who is about to let go of it
_OLD_SECONDS = 600.0  # no git holds a ref's lock for so long, wherever it runs
_FOLDER = "reconciler-damaged"
_FRESH = "reconciler-fresh"
_LOOSE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}")


def mend(branch: Branch, log: Callable[[str], None], *, thorough: bool = True) -> bool:
    """Put right what is damaged, as far as the remote has it, and say whether anything was done; objects are looked at
    only if `thorough`. The caller has the branch locked. Raises Transient when the remote does not answer, or the disk
    is full; Permanent when something is damaged that the remote can't know, with the command that helps."""
    done = [*unlock(branch), *_refs(branch)]
    if not done and thorough and branch.remote is not None:
        branch.tip()  # a remote that does not answer heals nothing
        if not _sound(branch):
            done = [_objects(branch)]
    for what in done:
        log(f"the clone {branch.dirs.own} was damaged: {what}")
    return bool(done)


def unlock(branch: Branch) -> Iterator[str]:
    """Remove the locks that killed processes left on what we write. A young one is waited for."""
    common = branch.dirs.common
    ours = [common / "refs" / "reconciler", common / "refs" / "remotes" / (branch.remote or ""), common / "refs/heads"]
    for report in branch.dirs.own.glob("fast_import_crash_*"):
        report.unlink(missing_ok=True)
    found = [common / "packed-refs.lock", common / "shallow.lock", *(f for o in ours for f in o.rglob("*.lock"))]
    for lock in found:
        while (age := _age(lock)) is not None and age < _YOUNG_SECONDS:
            time.sleep(0.2)
        if age is not None and (age > _OLD_SECONDS or not _git_at_work(common)):
            lock.unlink(missing_ok=True)
            yield f"removed {lock.relative_to(common)}, which a process left that is gone"


def _age(lock: Path) -> float | None:
    try:
        return max(0.0, time.time() - lock.stat().st_mtime)
    except OSError:
        return None


def _git_at_work(common: Path) -> bool:
    """Does a git of this machine work in this clone? One whose folder we may not see counts as working elsewhere."""
    root = common.parent if common.name == ".git" else common
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name, where = (entry / "comm").read_text().strip(), (entry / "cwd").resolve(strict=True)
        except OSError:
            continue
        if name.startswith("git") and (where == root or root in where.parents):
            return True
    return False


def _refs(branch: Branch) -> Iterator[str]:
    """Drop refs that say nothing: the remote has those that are its own. Raises Permanent for a branch of this
    clone."""
    common, head = branch.dirs.common, branch.dirs.own / "HEAD"
    if not _says_something(head):
        hint = f"write the branch it was on: echo 'ref: refs/heads/main' > {head}"
        raise Permanent(f"{head} is damaged: git takes this for no clone", hint=hint)
    packed = common / "packed-refs"
    if packed.exists() and (bad := _bad_lines(packed.read_bytes())) is not None:
        _aside(branch, packed, keep=True)
        draft = packed.with_name("packed-refs.reconciler")
        draft.write_bytes(bad)
        draft.replace(packed)
        yield "packed-refs had lines that are none; what was left of them is kept"
    for ref in _loose_refs(common):
        if _says_something(ref):
            continue
        name = ref.relative_to(common).as_posix()
        if not name.startswith((f"refs/remotes/{branch.remote}/", "refs/reconciler/")):
            raise Permanent(
                f"the ref {name} of {branch.dirs.own} is damaged, and is no copy of the remote's",
                hint=f"put it back: git update-ref {name} <commit> (git log -g {name} may know it); "
                "or make a fresh clone",
            )
        _aside(branch, ref)
        yield f"{name} said nothing"


def _loose_refs(common: Path) -> Iterator[Path]:
    return (f for f in (common / "refs").rglob("*") if f.is_file() and not f.name.endswith(".lock"))


def _says_something(ref: Path) -> bool:
    try:
        return bool(re.fullmatch(rb"[0-9a-f]{40}\n?|ref: refs/\S+\n?", ref.read_bytes()))
    except FileNotFoundError:
        return True


def _bad_lines(content: bytes) -> bytes | None:
    """The file without the lines that say nothing; None when there are none of these."""
    lines = content.split(b"\n")
    kept = [line for line in lines if not line or re.fullmatch(rb"#.*|[0-9a-f]{40} refs/\S+|\^[0-9a-f]{40}", line)]
    whole = content.endswith(b"\n") or not content
    return None if len(kept) == len(lines) and whole else b"\n".join(line for line in kept if line) + b"\n"


def _sound(branch: Branch) -> bool:
    """Can git read everything that its refs lead to?"""
    return branch.git("fsck", "--no-dangling", "--no-progress").ok


def _objects(branch: Branch) -> str:
    """Get everything of the remote into a new object store, then bring that in. What is damaged goes aside, after git
    took from it what it could still read: commits that were never pushed are nowhere else."""
    common, remote = branch.dirs.common, branch.remote or ""
    fresh = common / _FRESH
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        new = branch.git_at(fresh)
        new.must("init", "--quiet", "--bare", str(fresh))
        shutil.copyfile(common / "config", fresh / "config")
        new.must("config", "core.bare", "true")
        new("config", "--unset-all", "core.worktree")
        depth = ("--depth=500",) if branch.shallow else ()
        new.ask_remote(
            remote, "fetch", "--quiet", "--no-auto-gc", *depth, remote,
            "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/reconciler/*:refs/reconciler/*",
        )  # fmt: skip
        new.must("repack", "-adq")
        damaged = [*_damaged_packs(branch), *_damaged_loose(common)]
        for path in damaged:
            _aside(branch, path)
        _adopt(fresh, common)
        for pack in (p for p in damaged if p.suffix == ".pack"):
            branch.git("unpack-objects", "-r", "-q", stdin=(common / _FOLDER / pack.name).read_bytes())
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    from gitdb.util import mman

    mman.collect()  # what was mapped of the old packs
    return f"its objects were fetched anew from {remote!r}; {len(damaged)} damaged files are now in {_FOLDER}"


def _damaged_packs(branch: Branch) -> Iterator[Path]:
    folder = branch.dirs.common / "objects" / "pack"
    for cache in (folder / "multi-pack-index", folder.parent / "info" / "commit-graph"):
        cache.unlink(missing_ok=True)
    shutil.rmtree(folder.parent / "info" / "commit-graphs", ignore_errors=True)
    for stem in {f.with_suffix("") for f in folder.glob("pack-*")}:
        whole = all(stem.with_suffix(s).exists() for s in (".pack", ".idx"))
        if not whole or not branch.git("verify-pack", str(stem.with_suffix(".idx"))).ok:
            yield from (f for f in folder.glob(f"{stem.name}.*") if f.suffix != ".keep")
    yield from (f for f in folder.glob("tmp_*") if (_age(f) or 0) > _OLD_SECONDS)


def _damaged_loose(common: Path) -> Iterator[Path]:
    for file in (common / "objects").glob("[0-9a-f][0-9a-f]/*"):
        name = file.relative_to(common / "objects").as_posix()
        if _LOOSE.fullmatch(name) and not _intact(file, name.replace("/", "")):
            yield file


def _intact(file: Path, id_: str) -> bool:
    try:
        return hashlib.sha1(zlib.decompress(file.read_bytes()), usedforsecurity=False).hexdigest() == id_
    except (OSError, zlib.error):
        return False


def _adopt(fresh: Path, common: Path) -> None:
    """Move the new packs in; the index comes last, since it makes git look at the pack."""
    into = common / "objects" / "pack"
    into.mkdir(parents=True, exist_ok=True)
    for suffix in (".pack", ".rev", ".idx"):
        for file in (fresh / "objects" / "pack").glob(f"*{suffix}"):
            os.replace(file, into / file.name)
    if (fresh / "shallow").exists():
        said = {*(fresh / "shallow").read_text().split(), *(common / "shallow").read_text().split()}
        draft = common / "shallow.reconciler"
        draft.write_text("".join(f"{one}\n" for one in sorted(said)))
        draft.replace(common / "shallow")


def _aside(branch: Branch, path: Path, *, keep: bool = False) -> None:
    folder = branch.dirs.common / _FOLDER
    folder.mkdir(exist_ok=True)
    try:
        (shutil.copyfile if keep else os.replace)(path, folder / path.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Permanent(f"cannot set {path} aside: {error.strerror}", hint="check who owns the clone") from None
