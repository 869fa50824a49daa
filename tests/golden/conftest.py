"""The cases every report format is shown for, and the comparison with what was last agreed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.outcome import Outcome, Status, StepOutcome
from reconciler.model.plan import Counts, Plan, Refusal, Step, Tool
from reconciler.model.resource import Component, Expected, Key, Kinds, Known, Observed, Resource, Unknown, Value
from reconciler.report.view import View, view

INFRASTRUCTURE, KUBERNETES, WORKLOADS = Component.INFRASTRUCTURE, Component.KUBERNETES, Component.WORKLOADS
COMMIT = "4f2a9d31c07be5580a6cf1e2d3b4a5968778695a"
NAMES = {"demo-cp-1": "cp", "demo-worker-1": "worker", "demo-worker-2": "worker", "demo-gpu-1": "gpu"}
GOOD_IMAGE, BAD_IMAGE = "registry.example.org/sid/backend:1.4.2", "registry.example.org/sid/backend:latest"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with the golden file of that name, character by character."""
    update = request.config.getoption("--update-golden", default=False)

    def check(name: str, text: str) -> None:
        file = Path(__file__).parent / "report" / name
        if update:
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), (
            f"{name} changed; if it should: pytest {__file__} --update-golden"
        )

    return check


@pytest.fixture(params=["in-sync", "drift", "chain", "blocked", "unknown", "failed", "repaired"])
def case(request: pytest.FixtureRequest) -> tuple[str, View]:
    name: str = request.param
    return name, CASES[name]()


@pytest.fixture
def drift() -> View:
    return _drift()


def _in_sync() -> View:
    return view(Plan("demo", COMMIT), status=Status.IN_SYNC, observed=_observed(), expected=_expected())


def _drift() -> View:
    gone = tuple(name for name in NAMES if name != "demo-worker-2")
    return view(_drifted(), status=Status.DRIFTED, observed=_observed(gone, BAD_IMAGE), expected=_expected())


def _repaired() -> View:
    plan = _drifted()
    steps = tuple(
        StepOutcome(step, seconds) for step, seconds in zip(plan.steps, (21.4, 0.62, 33.08, 2.5), strict=True)
    )
    outcome = Outcome("demo", COMMIT, Status.IN_SYNC, plan, Plan("demo", COMMIT), steps, 58.1)
    return view(plan, status=Status.IN_SYNC, outcome=outcome, observed=_observed(), expected=_expected())


def _blocked() -> View:
    doomed = tuple(_removed("server", name) for name in ("demo-cp-1", "demo-worker-1", "demo-worker-2"))
    counts = Counts.of(doomed)
    step = _step(INFRASTRUCTURE, Tool.TERRAFORM, "apply", f"openstack-cluster: {counts}", *doomed)
    refusals = (
        Refusal(
            "max-deletion-percent",
            "would delete or replace 3 of 8 (37%); guards.maxDeletionPercent allows 30%",
            _approval("make it smaller steps, or raise guards.maxDeletionPercent", "max-deletion-percent"),
        ),
        Refusal(
            "control-plane",
            "would delete or replace control-plane machines (demo-cp-1): etcd's data lives there",
            _approval("leave the control plane as it is", "control-plane"),
        ),
    )
    return view(
        Plan("demo", COMMIT, doomed, (step,), refusals),
        status=Status.BLOCKED,
        observed=_observed(),
        expected=_expected(("demo-gpu-1",)),
    )


def _approval(way: str, guard: str) -> str:
    where = "desired/demo/cluster.yaml, under spec.guards.approvals"
    line = f"- {{plan: '1f2e3d4c5b6a', guards: [{guard}], expires: YYYY-MM-DD, reason: why}}"
    return f"{way}; or have this very plan approved by pull request, in {where}:\n{line}"


def _chain() -> View:
    """One event, told once: a server that went, its node, and the pods on it."""
    plan = _drifted()
    image, ignored, node, rule, server = plan.differences
    server = replace(
        server, first_seen="2026-11-20T14:03:00Z", effects=("node demo-worker-2 is not Ready", "4 pods are pending")
    )
    node = replace(node, cause=server.key, field="ready", desired=True, live=False, why="was changed outside git")
    steps = tuple(
        replace(step, command=command, seconds=seconds)
        for step, command, seconds in zip(
            plan.steps,
            (
                "tofu plan, then tofu apply of that plan, of terraform/openstack-cluster",
                "openstack security group rule delete, by id",
                "ansible-playbook scale.yml --limit demo-worker-2",
                "kubectl apply --server-side Deployment sid/backend",
            ),
            (21.4, 0.62, 412.0, None),
            strict=True,
        )
    )
    told = replace(plan, differences=(image, ignored, node, rule, server), steps=steps)
    gone = tuple(name for name in NAMES if name != "demo-worker-2")
    return view(told, status=Status.DRIFTED, observed=_observed(gone, BAD_IMAGE), expected=_expected())


def _failed() -> View:
    plan = _drifted()
    done = StepOutcome(plan.steps[0], 21.4)
    said = StepOutcome(plan.steps[2], 33.1, "demo-worker-2: unreachable", "is its server ACTIVE? try: ssh")
    left = replace(plan, differences=plan.differences[:1], steps=plan.steps[3:])
    outcome = Outcome("demo", COMMIT, Status.FAILED, plan, left, (done, said), 54.5, said.error, said.hint)
    return view(left, status=Status.FAILED, outcome=outcome, observed=_observed(), expected=_expected())


def _unknown() -> View:
    silent = Unknown(
        "Nova did not answer within 10 s (cloud sandbox)", "is the compute service up? try: openstack server list"
    )
    refused = Unknown("connection refused by https://127.10.0.1:6443")
    difference = Difference(
        INFRASTRUCTURE,
        Key("server", "*"),
        "",
        None,
        None,
        None,
        Class.UNKNOWN,
        Action.NONE,
        Severity.MEDIUM,
        f"could not be observed: {silent.reason}",
    )
    observed = Observed({INFRASTRUCTURE: {"server": silent}, KUBERNETES: {"node": refused}})
    return view(Plan("demo", COMMIT, (difference,)), status=Status.UNKNOWN, observed=observed, expected=_expected())


CASES: dict[str, Callable[[], View]] = {
    "in-sync": _in_sync,
    "drift": _drift,
    "chain": _chain,
    "blocked": _blocked,
    "unknown": _unknown,
    "failed": _failed,
    "repaired": _repaired,
}


def _drifted() -> Plan:
    server = _missing(INFRASTRUCTURE, "server", "demo-worker-2", Severity.HIGH)
    node = _missing(KUBERNETES, "node", "demo-worker-2", Severity.HIGH)
    rule = Difference(
        INFRASTRUCTURE, Key("security_group_rule", "demo-control-plane ingress IPv4 tcp 22 from 0.0.0.0/0"), "",
        None, None, "present", Class.UNMANAGED, Action.DELETE, Severity.CRITICAL,
        "belongs to this cluster and is in no desired state", "6f0c",
    )  # fmt: skip
    image = Difference(
        WORKLOADS, Key("Deployment", "sid/backend"), "spec.template.spec.containers[backend].image",
        GOOD_IMAGE, GOOD_IMAGE, BAD_IMAGE, Class.DRIFT, Action.UPDATE, Severity.HIGH, "was changed outside git",
    )  # fmt: skip
    ignored = Difference(
        WORKLOADS, Key("Deployment", "sid/backend"), "spec.replicas",
        1, 1, 3, Class.IGNORED, Action.NONE, Severity.INFO, "a HorizontalPodAutoscaler owns it",
    )  # fmt: skip
    steps = (
        _step(INFRASTRUCTURE, Tool.TERRAFORM, "apply", "openstack-cluster: 1 to create", server),
        _step(INFRASTRUCTURE, Tool.OPENSTACK, "prune", "prune what is in nobody's desired state: 1 to delete", rule),
        _step(KUBERNETES, Tool.KUBESPRAY, "scale.yml", "join 1 node", node),
        _step(WORKLOADS, Tool.KUBERNETES, "apply", "server-side apply: 1 to update", image),
    )
    return Plan("demo", COMMIT, (image, ignored, node, rule, server), steps)


def _missing(component: Component, kind: str, name: str, severity: Severity) -> Difference:
    return Difference(
        component, Key(kind, name), "", "present", "present", None, Class.DRIFT, Action.CREATE, severity,
        "was applied and is gone",
    )  # fmt: skip


def _removed(kind: str, name: str) -> Difference:
    return Difference(
        INFRASTRUCTURE, Key(kind, name), "", None, "present", "present", Class.PENDING, Action.DELETE, Severity.LOW,
        "was removed from git", f"id-of-{name}",
    )  # fmt: skip


def _step(component: Component, tool: Tool, operation: str, summary: str, *differences: Difference) -> Step:
    targets = tuple(str(d.key) for d in differences)
    return Step(component, tool, operation, summary, targets, Counts.of(differences), differences)


def _expected(names: tuple[str, ...] = tuple(NAMES)) -> Expected:
    servers = tuple(
        Resource("server", n, {"metadata.reconciler.group": g, "status": "ACTIVE"})
        for n, g in NAMES.items()
        if n in names
    )
    subnet = Resource("subnet", "demo", {"cidr": "10.80.0.0/24"})
    nodes = tuple(Resource("node", name, {"ready": True}) for name in names)
    return Expected({INFRASTRUCTURE: (*servers, subnet), KUBERNETES: nodes, WORKLOADS: (_backend(GOOD_IMAGE),)})


def _observed(names: tuple[str, ...] = tuple(NAMES), image: str = GOOD_IMAGE) -> Observed:
    servers = tuple(
        Resource("server", name, {**_live(index), "metadata.reconciler.group": NAMES[name]}, f"id-{name}", "demo")
        for index, name in enumerate(NAMES, 1)
        if name in names
    )
    nodes = tuple(Resource("node", name, {"ready": True}, f"uid-{name}", "demo") for name in names)
    subnet = Resource("subnet", "demo", {"cidr": "10.80.0.0/24"}, "id-subnet", "demo")
    infrastructure: Kinds = {"server": Known(servers), "subnet": Known((subnet,))}
    return Observed(
        {
            INFRASTRUCTURE: infrastructure,
            KUBERNETES: {"node": Known(nodes)},
            WORKLOADS: {"Deployment": Known((_backend(image),))},
        }
    )


def _live(index: int) -> dict[str, Value]:
    return {"status": "ACTIVE", "fixed_ip": f"10.80.0.{index}", "address": f"172.24.4.{index}"}


def _backend(image: str) -> Resource:
    return Resource("Deployment", "sid/backend", {"spec.template.spec.containers[backend].image": image})
