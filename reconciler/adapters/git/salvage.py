"""What a rewritten observed branch lost: folders of which only this clone still has the last record."""

from __future__ import annotations

from itertools import islice

from ...errors import Invalid
from .branch import Branch
from .objects import Objects

_MOST = 1000  # folders that are put back at once: more clusters than one repository has


def lost_folders(branch: Branch, objects: Objects, kept: str, tip: str) -> tuple[str, ...]:
    """Name the folders that `kept`, the last tip we knew, has and `tip` went back on: `tip` has them as they were where
    the two parted, or not at all. What was changed since on the side of `tip` is somebody's newer record."""
    parted = branch.git("merge-base", kept, tip)
    try:
        before = objects.folders(parted.output) if parted.ok else {}
        ours, theirs = objects.folders(kept), objects.folders(tip)
    except Invalid:  # too large for a branch of ours: then nobody can tell
        return ()
    lost = (
        name
        for name, tree in sorted(ours.items())
        if theirs.get(name) not in (tree,) and theirs.get(name) == before.get(name)
    )
    return tuple(islice(lost, _MOST))
