"""What researchers' environments need said: that one ends soon, that one has ended, that a volume can't shrink.

An environment that comes to its end differs from nothing, so it is a notice: the cluster stays in sync. Why it is told
in stages and not in days is what docs/decisions/0028-what-an-environment-is-and-how-it-ends.md says.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..model.change import Action, Class, Difference, Severity
from ..model.desired import Environment, quantity
from ..model.resource import Component, Key

# How many days before its last day an environment is spoken of, and how loud: time to ask, time to copy, and the end.
_STAGES = (
    (1, Severity.HIGH, "today or tomorrow"),
    (7, Severity.MEDIUM, "within a week"),
    (14, Severity.LOW, "within two weeks"),
)
_CLAIM = "PersistentVolumeClaim"
_SIZE = "spec.resources.requests.storage"
# What Kubernetes never changes of a claim.
_FIXED = ("spec.storageClassName", "spec.accessModes", "spec.volumeMode")


@dataclass(frozen=True, slots=True)
class Asked:
    """An environment of git, with the namespace of its objects and the places (file:line) of what is spoken of."""

    environment: Environment
    namespace: str
    expires_at: str = ""
    volume_at: str = ""

    def key(self, kind: str) -> Key:
        return Key(kind, f"{self.namespace}/{self.environment.name}")


def notices(asked: Iterable[Asked], now: datetime.datetime) -> tuple[Difference, ...]:
    """What somebody should know of the environments at `now`. No wording depends on how many days are left, so that a
    report changes when something does."""
    today = now.astimezone(datetime.UTC).date()
    return tuple(d for one in asked if (d := _notice(one, today)) is not None)


def explained(
    differences: Iterable[Difference], asked: Sequence[Asked], now: datetime.datetime
) -> tuple[Difference, ...]:
    """The differences, with what follows from an environment's end called so, and what no volume can do left undone."""
    today = now.astimezone(datetime.UTC).date()
    ended = {one.key("StatefulSet"): one for one in asked if one.environment.expired(today)}
    claims = {one.key(_CLAIM): one for one in asked}
    return tuple(_explained(d, ended, claims) for d in differences)


def stage(expires: datetime.date, today: datetime.date) -> tuple[Severity, str] | None:
    """How soon somebody should look at an environment whose last day that is, and how near it is in words; None while
    there is time, and once it is over."""
    left = (expires - today).days
    return next(((level, words) for days, level, words in _STAGES if 0 <= left <= days), None)


def _notice(one: Asked, today: datetime.date) -> Difference | None:
    said = one.environment.spec.expires
    if said is None:
        return None
    near = stage(datetime.date.fromisoformat(said), today)
    change = f"change or take out `expires` at {one.expires_at}" if one.expires_at else "change or take out `expires`"
    if one.environment.expired(today):
        why = f"expired on {said} (UTC): it is stopped and its volume is kept; to bring it back, {change}"
        return _told(one, Severity.LOW, said, why)
    if near:
        level, words = near
        why = f"expires on {said} (UTC), {words}: the day after it is stopped and its volume kept; to keep it, {change}"
        return _told(one, level, said, why)
    return None


def _told(one: Asked, level: Severity, expires: str, why: str) -> Difference:
    key = Key("Environment", one.environment.title)
    return Difference(Component.WORKLOADS, key, "", expires, None, None, Class.NOTICE, Action.NONE, level, why)


def _explained(d: Difference, ended: dict[Key, Asked], claims: dict[Key, Asked]) -> Difference:
    if d.component is not Component.WORKLOADS or d.cls is Class.UNKNOWN:
        return d
    if d.field == "spec.replicas" and d.key in ended:  # who else starts and stops it does so until its last day
        said = f"the environment expired on {ended[d.key].environment.spec.expires}: it is stopped"
        return replace(d, why=said, conceded=True)
    if d.key.kind == _CLAIM and d.action is Action.UPDATE:
        why = next(_impossible(d, claims.get(d.key)), None)
        return replace(d, cls=Class.PENDING, action=Action.NONE, severity=Severity.MEDIUM, why=why) if why else d
    return d


def _impossible(d: Difference, claim: Asked | None) -> Iterator[str]:
    """Why Kubernetes would refuse this change of a claim, if it would."""
    at = f" ({claim.volume_at})" if claim and claim.volume_at else ""
    if d.field == _SIZE and _smaller(d.desired, d.live):
        yield f"a volume may grow and never shrinks: ask for {d.live} again{at}, or copy what is in it into a new one"
    if d.field in _FIXED and d.desired is not None:
        yield f"Kubernetes never changes this of a volume: take it back{at}, or make another environment and copy"


def _smaller(desired: object, live: object) -> bool:
    try:
        return quantity(str(desired)) < quantity(str(live))
    except ValueError:  # a suffix that no environment may use: the API server judges
        return False
