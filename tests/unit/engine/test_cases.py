"""Every case of tests/cases (its README explains them): what is decided from desired, applied and live state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.engine.decision import Case as Question
from reconciler.engine.decision import decide as decision
from reconciler.engine.diff import meant
from reconciler.engine.guard import Facts
from reconciler.engine.playbook import Roles
from reconciler.model.change import Difference
from reconciler.model.desired import Approval, Cluster, moment
from reconciler.model.plan import Plan, Step
from reconciler.model.resource import (
    Addition,
    Component,
    Expected,
    Known,
    Observed,
    Owner,
    Resource,
    Symptom,
    Unknown,
    Value,
)
from reconciler.spec.render.infrastructure import infrastructure
from reconciler.spec.render.kubernetes import nodes
from reconciler.spec.render.terraform import KINDS, REPLACING
from tests.unit.examples import cluster

Case = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "cases"
FILES = sorted(FOLDER.glob("*.yaml"))
CASES = [(file.stem, case) for file in FILES for case in yaml.safe_load(file.read_text())]
KEYS = {"case", "installed", "new", "desired", "applied", "live", "but", "objects", "pods", "approved", "at", "expect",
        "decided"}  # fmt: skip
AT = "2026-11-24T12:00:00+00:00"  # a Tuesday
INFRA, KUBE = Component.INFRASTRUCTURE, Component.KUBERNETES


@pytest.mark.parametrize("case", [c for _, c in CASES], ids=[f"{stem}: {c['case']}" for stem, c in CASES])
def test_case(case: Case) -> None:
    assert set(case) <= KEYS
    expect = case["expect"]
    assert set(expect) <= {"steps", "refusals", "differences", "findings"}
    made = decide(case)
    assert [said(step) for step in made.steps] == expect.get("steps", [])
    assert [refusal.guard for refusal in made.refusals] == expect.get("refusals", [])
    if "differences" in expect:
        assert [difference(d) for d in made.differences] == expect["differences"]
    if "findings" in expect:
        assert [finding(d) for d in made.differences if not d.cause] == expect["findings"]
    for refusal in made.refusals:
        held = replace(made, steps=tuple(step for step in made.steps if step.held))
        assert (held if refusal.partial else made).digest in refusal.approval


def test_no_two_cases_have_one_name() -> None:
    assert len({(stem, c["case"]) for stem, c in CASES}) == len(CASES) >= 30


def decide(case: Case) -> Plan:
    """The pure part of a cycle, with the facts the cycle would give."""
    asked_of = question(case)
    made = decision(asked_of)
    if case.get("approved"):
        given = approval(case["approved"], made.digest)
        limits = asked_of.facts.limits.model_copy(update={"approvals": (given,)})
        made = decision(replace(asked_of, facts=replace(asked_of.facts, limits=limits)))
    return made


def question(case: Case) -> Question:
    """What is decided in a case."""
    now = cluster(*changes(case.get("desired", [])))
    seen = live(case, now)
    servers = seen.resources(INFRA, "server")
    wanted = infrastructure(now)
    asked = Expected({INFRA: wanted, KUBE: nodes(now, meant(wanted, servers)), **objects(case, "git")})
    roles = roles_of(case, wanted, servers)
    there = (roles.etcd or roles.control_plane) | {s.name for s in servers if in_group(s, "cp", "etcd")}
    count = sum(len(seen.resources(INFRA, kind)) for kind in KINDS)
    spec = now.spec
    at, chosen = moment(case.get("at", AT)), case.get("decided", ())
    facts = Facts(spec.guards, there, count, len(asked.resources(INFRA)), spec.maintenance, at, chosen)
    was, repair = applied(case, now), spec.kubernetes.repair
    return Question("demo", "c0ffee", asked, was, seen, roles, facts, REPLACING, spec.ignore, repair=repair)


def approval(said: Any, digest: str) -> Approval:
    """`true` says yes to the plan; a mapping says to which guards, and until when."""
    said = {} if said is True else said
    return Approval.model_validate(
        {"plan": digest, "expires": said.get("expires", "2030-01-01"), "guards": tuple(said.get("guards", ()))}
    )


def changes(said: list[list[str]]) -> list[tuple[str, str]]:
    return [(old, new) for old, new in said]


def roles_of(case: Case, wanted: Sequence[Resource], servers: Sequence[Resource]) -> Roles:
    hosts = [r for r in wanted if r.kind == "server"]
    masters, etcd = ({r.name for r in hosts if in_group(r, group)} for group in ("cp", "etcd"))
    nodes = {r.name for r in hosts if not in_group(r, "cp", "etcd", "bastion")}
    installed = frozenset(case.get("installed", ()))
    live = {s.name for s in servers}
    lost = {name for name in installed if name not in live or name in case.get("new", ())}
    return Roles(frozenset(masters), frozenset(etcd), frozenset(nodes), installed, frozenset(lost))


def in_group(server: Resource, *groups: str) -> bool:
    return server.fields.get("metadata.reconciler.group") in groups


def before(case: Case, now: Cluster) -> Cluster | None:
    """The cluster as git had it at the last apply."""
    said = case.get("applied", "as desired")
    if isinstance(said, list):
        return cluster(*changes(said))
    return {"as desired": now, "nothing": None}[said]


def applied(case: Case, now: Cluster) -> Expected:
    was = before(case, now)
    if was is None:
        return Expected(objects(case, "applied"))
    servers = [with_id(r) for r in infrastructure(was) if r.kind == "server"]
    return Expected({INFRA: infrastructure(was), KUBE: nodes(was, servers), **objects(case, "applied")})


def live(case: Case, now: Cluster) -> Observed:
    there = {"as applied": before(case, now), "as desired": now, "nothing": None}[case.get("live", "as applied")]
    resources = [with_id(r) for r in infrastructure(there)] if there else []
    resources += nodes(there, [r for r in resources if r.kind == "server"]) if there else ()
    for change in case.get("but", []):
        resources = mutated(resources, change)
    components: dict[Component, dict[str, Known | Unknown]] = {
        INFRA: known(resources, KINDS),
        KUBE: known(resources, ("node", "certificate")),
        Component.WORKLOADS: {},
        Component.APPLICATIONS: {},
    }
    for component, found in live_objects(case).items():
        components[component] = known(found, {r.kind for r in found} | {o.kind for _, o in parsed(case, component)})
    for change in case.get("but", []):
        if "unknown" in change:
            where = {"node": KUBE}.get(change["unknown"], Component(change.get("in", "infrastructure")))
            components[where][change["unknown"]] = Unknown("does not answer")
    return Observed(components, tuple(pods(case)))


def pods(case: Case) -> Iterator[Symptom]:
    for said in case.get("pods", []):
        assert set(said) <= {"name", "node", "state"}, said
        yield Symptom("Pod", said["name"], said.get("node", ""), said["state"])


def with_id(resource: Resource) -> Resource:
    return Resource(resource.kind, resource.name, resource.fields, f"id of {resource.kind} {resource.name}", "demo")


def known(resources: list[Resource], kinds: Any) -> dict[str, Known | Unknown]:
    return {kind: Known(tuple(r for r in resources if r.kind == kind)) for kind in kinds}


def mutated(resources: list[Resource], change: Case) -> list[Resource]:
    if "delete" in change:
        return [r for r in resources if r is not the(resources, change["delete"])]
    if "change" in change:
        old = the(resources, change["change"])
        new = Resource(old.kind, old.name, {**old.fields, **values(change["fields"])}, change.get("id", old.id), "demo")
        return [new if r is old else r for r in resources]
    if "add" in change:
        kind, name = change["add"].split(" ", 1)
        return [*resources, Resource(kind, name, values(change.get("fields", {})), change.get("id", "added"), "demo")]
    assert "unknown" in change, change
    return resources


def the(resources: list[Resource], said: str) -> Resource:
    (found,) = (r for r in resources if str(r.key) == said)
    return found


def values(fields: Mapping[str, Any]) -> dict[str, Value]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def parsed(case: Case, of: Component) -> Iterator[tuple[Case, Resource]]:
    for said in case.get("objects", []):
        assert set(said) <= {"is", "target", "git", "applied", "wants", "live", "id", "wave", "owners", "added"}, said
        component, kind, name = said["is"].split(" ", 2)
        if Component(component) is of:
            yield said, Resource(kind, name, target=said.get("target", ""), wave=said.get("wave", 0))


def objects(case: Case, side: str) -> dict[Component, tuple[Resource, ...]]:
    """The objects git has or had. Compared with the API, what is as desired has no fields on either side."""
    return {
        component: tuple(
            Resource(o.kind, o.name, values(said.get("wants", {})), digest=said[side], target=o.target, wave=o.wave)
            for said, o in parsed(case, component)
            if side in said
        )
        for component in (Component.WORKLOADS, Component.APPLICATIONS)
    }


def owner(text: str) -> Owner:
    return Owner(text.removesuffix(" (Apply)"), text.endswith(" (Apply)"))


def live_objects(case: Case) -> dict[Component, list[Resource]]:
    return {
        component: [
            Resource(
                o.kind,
                o.name,
                values(said["live"]),
                said.get("id", f"uid of {o.key}"),
                target=o.target,
                owners={field: owner(text) for field, text in said.get("owners", {}).items()},
                added={
                    field: Addition(owner(text), "2026-11-24T09:00:00Z")
                    for field, text in said.get("added", {}).items()
                },
            )
            for said, o in parsed(case, component)
            if "live" in said
        ]
        for component in (Component.WORKLOADS, Component.APPLICATIONS)
    }


def said(step: Step) -> str:
    target = f" on {step.arguments['target']}" if "target" in step.arguments else ""
    target += " --limit" if "limit" in step.arguments and step.operation != "scale.yml" else ""
    return f"{step.component} {step.tool} {step.operation}{target}: {', '.join(step.targets)}"


def difference(d: Difference) -> str:
    what = f"{d.key} {d.field}".rstrip()
    return f"{what} is {d.cls}, {d.severity}"


def finding(d: Difference) -> str:
    return " -> ".join([difference(d), *d.effects])
