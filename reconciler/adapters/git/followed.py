"""Whether a branch that is followed is still there: a fetch brings what is new, and says nothing of what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import Gone, Transient
from .branch import Branch

_LOOKED_AT = 20  # other branches that may be its new name


@dataclass
class Followed:
    """What the remote said since the last fetch of the branches that were asked for. Before any fetch nobody asks it:
    who works with what the clone has, works with that."""

    _online: bool = False
    _gone: dict[str, bool] = field(default_factory=dict)

    def fetched(self) -> None:
        """Ask again from now on."""
        self._online, self._gone = True, {}

    def check(self, branch: Branch, ref: str, tip: str, tips: Mapping[str, str]) -> None:
        """Raises Gone when `ref`, by its full name, is this clone's copy of a branch that the remote has no more; `tip`
        is where it was, `tips` the copies of all its branches."""
        prefix = f"refs/remotes/{branch.remote}/"
        name = ref.removeprefix(prefix)
        if not self._online or branch.remote is None or not ref.startswith(prefix) or name == "HEAD":
            return
        if name not in self._gone:
            try:
                self._gone[name] = branch.gone(name)
            except Transient:  # it answered a moment ago; the next fetch asks again
                return
        if self._gone[name]:
            raise Gone(
                f"the remote {branch.remote!r} has no branch {name!r} any more; this clone has it as it last was, at "
                f"{tip[:12]}, and that is not applied",
                hint=_hint(branch, prefix, ref, tip, tips),
            )


def _hint(branch: Branch, prefix: str, ref: str, tip: str, tips: Mapping[str, str]) -> str:
    others = [other for other in sorted(tips) if other not in (ref, f"{prefix}HEAD", f"{prefix}{branch.name}")]
    heirs = [o for o in others[:_LOOKED_AT] if tips[o] == tip or branch.older(tip, tips[o])]
    there = [o.removeprefix("refs/remotes/") for o in heirs if not _is_gone(branch, o.removeprefix(prefix))]
    renamed = f"was it renamed? {' and '.join(there)} has its last commit: --ref {there[0]}" if there else ""
    return renamed or "say which one is followed now (--ref), or put it back on the remote"


def _is_gone(branch: Branch, name: str) -> bool:
    try:
        return branch.gone(name)
    except Transient:
        return True
