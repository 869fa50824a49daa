"""One line of what `doctor` says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`what` was looked at, what was `said` of it, and a `hint` what to do when it is bad. `ok` is None for what could
    not be seen, which is not well either, unless it is `optional`."""

    what: str
    ok: bool | None
    said: str
    hint: str = ""
    optional: bool = False

    @property
    def well(self) -> bool:
        return bool(self.ok) or self.optional
