"""When a snapshot of etcd is due, which of them go, and what reports say of them: pure functions of names and times.

A backup is no step of a plan and no difference: a cluster whose newest snapshot is old is as git wants it all the same.
So what is to be known of it is a notice. docs/decisions/0082-backups-are-notices.md says why.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..model.backup import Backup
from ..model.change import Action, Class, Difference, Severity
from ..model.desired import Backups
from ..model.naming import BACKUP
from ..model.plan import Plan, Step, Tool
from ..model.resource import Component, Key

# A cycle may be late, or a machine silent for a while; past that somebody has to look.
_LATE, _FAR_TOO_LATE = 1.5, 3
_AHEAD = datetime.timedelta(minutes=10)  # so far the clocks of two machines that take snapshots may differ
_LEAST_RAISED = 1_000_000_000
_LONGEST = 400  # characters of a notice: what a machine said is in it
_RISKY = frozenset({"upgrade-cluster.yml", "recover-control-plane.yml"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a cluster's snapshots: those that are kept, in any order, or why that can't be told (`unknown`)
    and what to do about it (`hint`). `failed` says why the last one could not be taken."""

    backups: Collection[Backup] = ()
    unknown: str = ""
    failed: str = ""
    hint: str = ""


def of_the_past(backups: Iterable[Backup], now: datetime.datetime) -> list[Backup]:
    """Those that count, oldest first. What says it was taken later than now was named by a clock that was wrong, or by
    somebody who may write there: nothing is taken for younger than it, and nothing goes because of it."""
    return sorted(backup for backup in backups if backup.taken <= now + _AHEAD)


def newest(kept: Kept, now: datetime.datetime) -> Backup | None:
    """The newest that counts."""
    return max(of_the_past(kept.backups, now), default=None)


def due(kept: Kept, wanted: Backups, now: datetime.datetime) -> bool:
    """Should one be taken now? Where nobody knows what there is, none is taken: its target can't be reached."""
    if kept.unknown:
        return False
    last = newest(kept, now)
    return last is None or now - last.taken >= wanted.every


def surplus(backups: Iterable[Backup], keep: int, now: datetime.datetime) -> tuple[Backup, ...]:
    """Those beyond the `keep` newest that count, oldest first. The newest one is never among them, nor the last one of
    an etcd that was lost: what was taken of the empty one after it takes nobody's place."""
    counting = of_the_past(backups, now)
    lost = before_anew(counting, now)
    return tuple(backup for backup in counting[: -max(1, keep)] if backup != lost)


def before_anew(backups: Iterable[Backup], now: datetime.datetime) -> Backup | None:
    """The last one of an etcd that was lost since, and made anew: it has more changes than the newest. Within one
    etcd's life, restores included (`raised`), they only become more."""
    counting = of_the_past(backups, now)
    return max((backup for backup in counting if backup.revision > counting[-1].revision), default=None)


def raised(backup: Backup, now: datetime.datetime) -> int:
    """By how much revisions are raised when it is restored. What a client watched from has to be a thing of the past,
    so that it lists again; and no revision may be given twice, also when an older snapshot is restored after a newer
    one. So they begin at the milliseconds since 1970, which no cluster that makes less than 1000 changes a second ever
    reaches by itself."""
    return max(_LEAST_RAISED, int(now.timestamp() * 1000) - backup.revision)


def risky(step: Step) -> bool:
    """Is it one that nobody wants to begin without a snapshot? It changes etcd's own members, or what runs them."""
    return step.tool is Tool.KUBESPRAY and step.operation in _RISKY and not step.held


def notices(kept: Kept, wanted: Backups, now: datetime.datetime) -> tuple[Difference, ...]:
    """What every report says of the snapshots. No wording depends on how old one is, so that a report changes when
    something does: one more snapshot, or a stage of being late."""
    level, words = _words(kept, wanted, now)
    last = newest(kept, now)
    taken = last.taken.isoformat(timespec="seconds") if last else None
    key, why = Key(BACKUP, "etcd"), words[:_LONGEST]
    return (Difference(Component.KUBERNETES, key, "", None, None, taken, Class.NOTICE, Action.NONE, level, why),)


def _words(kept: Kept, wanted: Backups, now: datetime.datetime) -> tuple[Severity, str]:
    failed = f"; another could not be taken: {kept.failed}" if kept.failed else ""
    if kept.unknown:
        cure = f" ({kept.hint})" if kept.hint else ""
        return Severity.HIGH, f"whether there is a snapshot of etcd is not known: {kept.unknown}{cure}"
    last, ahead = newest(kept, now), max(kept.backups, default=None)
    remarks = f"; {ahead.name} is not of the past and counts for nothing" if ahead and ahead != last else ""
    if lost := before_anew(kept.backups, now):
        remarks += f"; etcd began anew after {lost.name}, which is kept"
    if last is None:
        why = f", and none could be taken: {kept.failed}" if kept.failed else "; the next cycle that may act takes one"
        return Severity.HIGH, f"there is no snapshot of etcd{why}{remarks}"
    age = now - last.taken
    facts = f"the newest snapshot of etcd is {last.name}, taken {last.taken:%Y-%m-%d %H:%M} UTC"
    if age >= wanted.every * _FAR_TOO_LATE:
        return Severity.HIGH, f"{facts}: older than three times its schedule ({wanted.schedule}){remarks}{failed}"
    if age >= wanted.every * _LATE or kept.failed or remarks:
        late = f": late, its schedule is {wanted.schedule}" if age >= wanted.every * _LATE else ""
        return Severity.MEDIUM, f"{facts}{late}{remarks}{failed}"
    return Severity.INFO, f"{facts}; the schedule is {wanted.schedule}"


def newest_told(plan: Plan) -> datetime.datetime | None:
    """When the newest snapshot was taken, as the plan's notice has it; None without one."""
    told = next((d.live for d in plan.notices if d.key.kind == BACKUP), None)
    return datetime.datetime.fromisoformat(str(told)) if told else None
