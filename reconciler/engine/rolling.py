"""Another build of an image: told while nobody asked for it, and rolled a few machines at a time where git does.

A cloud's operators upload new builds under the old name every month. That is no difference; `build` in git is the
choice to have it, and this decides whose turn it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..model.builds import Builds
from ..model.change import Action, Class, Difference, Severity
from ..model.naming import GROUP_KEY, IMAGE_CALLED, IMAGE_ID
from ..model.resource import Component, Expected, Observed, Resource

_INFRA, _KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES


def notices(
    expected: Expected, observed: Observed, builds: Builds, missing: Mapping[tuple[str, str], str]
) -> tuple[Difference, ...]:
    """One for each machine that is as git says, and could not be made so again: there is a newer build, or none."""
    if not builds.known:
        return ()
    wanted = {r.key: r for r in expected.resources(_INFRA) if r.kind == "server"}
    pairs = ((wanted[s.key], s) for s in observed.resources(_INFRA, "server") if s.key in wanted)
    return tuple(d for asked, live in pairs for d in _notice(asked, live, builds, missing))


def _notice(
    asked: Resource, live: Resource, builds: Builds, missing: Mapping[tuple[str, str], str]
) -> Iterator[Difference]:
    name, image = str(asked.fields.get("image")), live.fields.get(IMAGE_ID)
    if live.fields.get("image") != name or IMAGE_ID in asked.fields:
        return
    newest, today = builds.images.get(name), live.fields.get(IMAGE_CALLED)
    own = "" if today is None else f"; the one it has is called {today!r} now" if today else "; the one it has is gone"
    if ("image", name) in missing:
        why = f"{missing['image', name]}{own}; the machine runs on, and could not be made again"
        yield _told(live, name, f"{name} ({image})", Severity.MEDIUM, why)
    elif newest and image and newest != image:
        ask = f"it stays as it is until git asks for `build: {newest}`"
        why = f"new build available: {name!r} is {newest} now{own}; {ask}"
        yield _told(live, f"{name} ({newest})", f"{name} ({image})", Severity.LOW, why)


def _told(live: Resource, wanted: str, now: str, level: Severity, why: str) -> Difference:
    none = Action.NONE
    return Difference(_INFRA, live.key, "image", wanted, None, now, Class.NOTICE, none, level, why, live.id)


def rolled(differences: Sequence[Difference], observed: Observed, at_once: int) -> tuple[Difference, ...]:
    """The differences, of the machines that are to get another build only `at_once` now: workers first, and nobody
    while another machine or node is broken."""
    asked = [d for d in differences if d.actionable and (d.key.kind, d.field) == ("server", IMAGE_ID)]
    if not asked:
        return tuple(differences)
    groups = {s.key: str(s.fields.get(f"metadata.{GROUP_KEY}")) for s in observed.resources(_INFRA, "server")}
    order = sorted(asked, key=lambda d: (groups.get(d.key) in ("cp", "etcd"), groups.get(d.key, ""), d.order))
    turn = set() if _broken(differences) else {id(d) for d in order[: max(at_once, 1)]}
    waiting = {id(d) for d in asked} - turn
    why = f"waits for its turn: {max(at_once, 1)} at a time (guards.maxReplacedServers), and while all others work"
    return tuple(replace(d, action=Action.NONE, why=why) if id(d) in waiting else d for d in differences)


def _broken(differences: Iterable[Difference]) -> bool:
    """Is a machine gone or down, or a node away?"""
    return any(
        (d.key.kind in ("server", "node") and d.action is Action.CREATE)
        or (d.key.kind, d.field) in (("server", "status"), ("node", "ready"))
        for d in differences
        if d.actionable
    )
