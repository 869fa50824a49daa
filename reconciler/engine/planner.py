"""Differences in, ordered steps out: only for the components that drifted and for what depends on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ..model.change import LEAVING, Action, Class, Difference, Severity
from ..model.plan import JOIN, WAVE, Counts, Plan, Step, Tool
from ..model.resource import Component, Key
from .playbook import Roles, fetch_steps, kubernetes_steps, renewal_steps


def plan(
    cluster: str,
    commit: str,
    differences: Sequence[Difference],
    *,
    roles: Roles,
    reboot: frozenset[str] = frozenset(),
    waves: Mapping[Key, int] | None = None,
    absent: frozenset[str] = frozenset(),
) -> Plan:
    """Make the plan of one cluster. `reboot` names servers whose nodes are not Ready: those are rebooted whose node is
    to be repaired. `waves` says of a workload's object in which wave it is (0 where it does not say); `absent` are
    machines that are not there and that nobody makes now.

    A component with anything unknown gets no step, and neither does what is built on it: a missing answer is
    not a missing machine. Two exceptions: what makes the Kubernetes API answer again, and a workload's objects, of
    which nothing is deleted then, and nothing is applied that comes after one of a kind that is not known.
    """
    blind = {d.component for d in differences if d.cls is Class.UNKNOWN}
    todo = tuple(d for d in differences if d.actionable)
    infrastructure = [d for d in todo if d.component is Component.INFRASTRUCTURE]
    steps: list[Step] = []
    if Component.INFRASTRUCTURE not in blind:
        rebuilt = {d.key.name for d in infrastructure if _makes_server(d)}
        balancer = _balancer(infrastructure)
        before, after = kubernetes_steps(todo, roles, rebuilt=rebuilt, balancer=balancer, reboot=reboot, absent=absent)
        after += renewal_steps(todo, roles)
        if Component.KUBERNETES in blind:
            before, after = [], [*fetch_steps(todo), *renewal_steps(todo, roles, ended_only=True)]
        steps = [*_urgent(infrastructure), *before, *_infrastructure(infrastructure), *after]
    steps += _workloads([d for d in differences if d.component is Component.WORKLOADS], waves or {})
    if Component.APPLICATIONS not in blind:
        steps += _applications([d for d in todo if d.component is Component.APPLICATIONS])
    return Plan(cluster, commit, tuple(differences), tuple(steps))


def _makes_server(difference: Difference) -> bool:
    return difference.key.kind == "server" and difference.action in (Action.CREATE, Action.REPLACE)


def _balancer(infrastructure: Sequence[Difference]) -> Action:
    """What becomes of the load balancer before the Kubernetes APIs."""
    whole = (d for d in infrastructure if d.key.kind == "load_balancer" and not d.stray)
    return next((d.action for d in whole if not d.field or d.action is Action.REPLACE), Action.NONE)


def _infrastructure(differences: Sequence[Difference]) -> list[Step]:
    """Terraform for what it knows; the API, by id, for what it cannot see, or could do by building anew only."""
    steps = []
    joining = tuple(d for d in differences if _joins(d) and not d.stray)
    ours = tuple(d for d in differences if not d.stray and d not in joining)
    if ours:
        counts = Counts.of(ours)
        steps.append(
            _step(Component.INFRASTRUCTURE, Tool.TERRAFORM, "apply", f"openstack-cluster: {counts}", ours, counts)
        )
    if joining:
        counts = Counts.of(joining)
        summary = f"give ports an address of IPv6 too: {counts}"
        steps.append(_step(Component.INFRASTRUCTURE, Tool.OPENSTACK, JOIN, summary, joining, counts))
    stray = tuple(d for d in differences if d.stray and not _opens(d))
    return steps + _prune(stray, "prune what is in nobody's desired state")


def _urgent(differences: Sequence[Difference]) -> list[Step]:
    """A way in that nobody asked for is closed before all else: behind a drain or Terraform it would wait for what may
    fail."""
    return _prune(tuple(d for d in differences if _opens(d)), "close what is in nobody's desired state")


def _prune(stray: tuple[Difference, ...], word: str) -> list[Step]:
    counts = Counts.of(stray)
    summary = f"{word}: {counts}"
    return [_step(Component.INFRASTRUCTURE, Tool.OPENSTACK, "prune", summary, stray, counts)] if stray else []


def _opens(d: Difference) -> bool:
    rule = d.stray and d.key.kind == "security_group_rule" and d.action is Action.DELETE
    return rule and d.severity is Severity.CRITICAL


def _joins(difference: Difference) -> bool:
    """A port that is to have an address of a second subnet keeps the one that it has: it is not made anew for that."""
    return (difference.key.kind, difference.field) == ("port", "ipv6_subnet") and difference.action is Action.UPDATE


def _workloads(differences: Sequence[Difference], waves: Mapping[Key, int]) -> list[Step]:
    """Wave after wave; what goes, goes in the reverse of the order it came in: what a wave is made of stays while
    something of a later one is being deleted. Objects with a field that is somebody else's make a step of their own,
    so that it can be held without the rest; so do fields that others added, which keep nothing of their object. While
    a kind can't be seen (its own API is down), nobody knows what still needs what would go, nor whether what comes
    after it may come."""
    todo = [d for d in differences if d.actionable]
    hidden = {d.key.kind for d in differences if d.cls is Class.UNKNOWN}
    first = min((wave for key, wave in waves.items() if key.kind in hidden), default=None)
    changed = [d for d in todo if d.action is not Action.DELETE and (first is None or waves.get(d.key, 0) <= first)]
    last = max((waves.get(d.key, 0) for d in differences if d.live == LEAVING and not d.field), default=0)
    extra = [d for d in todo if d.action is Action.DELETE and waves.get(d.key, 0) >= last and not hidden]
    contested = {d.key for d in changed if d.contested and not d.added}
    steps = [
        _wave("apply", "server-side apply", wave, some)
        for wave, mine in _in_waves(changed, waves)
        for some in _apart(mine, contested)
    ]
    return steps + [_wave("prune", "prune", wave, mine) for wave, mine in reversed(_in_waves(extra, waves))]


def _apart(differences: Sequence[Difference], keys: Set[Key]) -> list[tuple[Difference, ...]]:
    """Those of `keys`, and whatever is contested, last; no empty part."""
    parts = (tuple(d for d in differences if (d.key in keys or d.contested) is last) for last in (False, True))
    return [part for part in parts if part]


def _in_waves(differences: Sequence[Difference], waves: Mapping[Key, int]) -> list[tuple[int, tuple[Difference, ...]]]:
    found: dict[int, list[Difference]] = {}
    for difference in differences:
        found.setdefault(waves.get(difference.key, 0), []).append(difference)
    return [(wave, tuple(found[wave])) for wave in sorted(found)]


def _wave(operation: str, word: str, wave: int, differences: tuple[Difference, ...]) -> Step:
    """The first wave is not called one: most clusters have no other."""
    counts = Counts.of(differences)
    said, at = (f", wave {wave + 1}", {WAVE: str(wave)}) if wave else ("", {})
    summary = f"{word}{said}: {counts}{_over(differences)}"
    return _step(Component.WORKLOADS, Tool.KUBERNETES, operation, summary, differences, counts, at)


def _applications(differences: Sequence[Difference]) -> list[Step]:
    """One Terraform run for each OpenShift. What Terraform never made, and Secrets, which it must not see, go through
    the API: those that others need before it, those that go after it. So do fields that somebody added: Terraform sees
    its own fields only."""
    steps = []
    for target in sorted({d.key.target for d in differences}):
        mine = [d for d in differences if d.key.target == target]
        at = {"target": target}
        secrets = tuple(d for d in mine if d.key.kind == "Secret" and d.action is not Action.DELETE)
        if secrets:
            counts = Counts.of(secrets)
            summary = f"secrets on {target}: {counts}"
            steps.append(_step(Component.APPLICATIONS, Tool.KUBERNETES, "apply", summary, secrets, counts, at))
        for added in _apart([d for d in mine if d.added and d.key.kind != "Secret"], set()):
            counts = Counts.of(added)
            summary = f"take out what was added on {target}: {counts}{_over(added)}"
            steps.append(_step(Component.APPLICATIONS, Tool.KUBERNETES, "apply", summary, added, counts, at))
        ours = tuple(d for d in mine if d.cls is not Class.UNMANAGED and d.key.kind != "Secret")
        if ours:
            counts = Counts.of(ours)
            summary = f"openshift-app on {target}: {counts}{_over(ours)}"
            steps.append(_step(Component.APPLICATIONS, Tool.TERRAFORM, "apply", summary, ours, counts, at))
        stray = tuple(d for d in mine if d.action is Action.DELETE and d not in ours)
        if stray:
            counts = Counts.of(stray)
            summary = f"prune on {target}: {counts}"
            steps.append(_step(Component.APPLICATIONS, Tool.KUBERNETES, "prune", summary, stray, counts, at))
    return steps


def _over(differences: Sequence[Difference]) -> str:
    """Whose writing the step would overrule."""
    found = {d.owner for d in differences if d.owner}
    said = (("over", [o for o in found if o.by_hand]), ("taken from", [o for o in found if not o.by_hand]))
    told = [f"{word} {', '.join(map(str, sorted(owners)))}" for word, owners in said if owners]
    return f" ({', '.join(told)})" if told else ""


def _step(
    component: Component,
    tool: Tool,
    operation: str,
    summary: str,
    differences: tuple[Difference, ...],
    counts: Counts,
    arguments: Mapping[str, str] | None = None,
) -> Step:
    targets = tuple(dict.fromkeys(str(d.key) for d in differences))
    return Step(component, tool, operation, summary, targets, counts, differences, arguments or {})
