"""The view says what the plan says: in a fixed order, in short strings, without secrets."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace

import pytest
import yaml

from reconciler.console import Console
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.outcome import Outcome, Status, StepOutcome
from reconciler.model.plan import Plan, Refusal, Step, Tool
from reconciler.model.resource import Component, Expected, Key, Known, Observed, Resource, Unknown, Value
from reconciler.report import terminal
from reconciler.report.picture import State
from reconciler.report.values import line, short, some
from reconciler.report.view import View, alike, by_component, gathered, view


def difference(
    name: str = "demo-worker-1",
    field: str = "",
    *,
    component: Component = Component.INFRASTRUCTURE,
    kind: str = "server",
    sides: tuple[Value, Value, Value] = ("present", "present", None),
    cls: Class = Class.DRIFT,
    action: Action = Action.CREATE,
    severity: Severity = Severity.HIGH,
    why: str = "was applied and is gone",
) -> Difference:
    return Difference(component, Key(kind, name), field, *sides, cls, action, severity, why)


def seen(*differences: Difference, status: Status = Status.DRIFTED) -> View:
    return view(Plan("demo", "c0ffee", differences), status=status)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("", '""'),
        (True, "true"),
        (3, "3"),
        (("a", "b"), "a, b"),
        ((), "[]"),
        ((("zone", "nova"), ("racks", ("a", "b"))), "zone=nova, racks=a, b"),
        ("two\nlines\x1b[31m", r"two lines\u001b[31m"),
        ("right\u202eto-left", r"right\u202eto-left"),
        ("lone \udc80 surrogate", r"lone \udc80 surrogate"),
        ("url=x;db_password=hunter2, next=y", "url=x;db_password=(redacted), next=y"),
        ((("API_TOKEN", "hunter2"), ("A", "1")), "API_TOKEN=(redacted), A=1"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2", "(redacted)"),
    ],
)
def test_values_are_short_lines(value: Value, text: str) -> None:
    assert short(value) == text


def test_long_values_are_cut_and_say_so() -> None:
    assert short("x" * 120) == "x" * 120
    assert short("x" * 121) == "x" * 119 + "…"
    assert short("x" * 1_000_000) == "x" * 119 + "…"
    assert short(" " * 1_000_000 + "x").endswith("…")
    assert len(line("y" * 1_000_000)) == 600


def test_names_beyond_the_first_are_counted() -> None:
    assert some(("a", "b"), 2) == "a, b"
    assert some(("a", "b", "c"), 2) == "a, b and 1 more"


@pytest.mark.parametrize(
    "field", ["admin_password", "spec.clientSecret", "API_TOKEN", "privateKey", "private-key", "private_key"]
)
def test_secret_fields_are_redacted_wherever_they_are_told(field: str) -> None:
    sides = ("hunter2", "hunter2", ("nested", "hunter3"))
    found = seen(difference(field=field, sides=sides, why="was changed from hunter2 to hunter3"))
    assert "hunter" not in repr(found)
    (finding,) = found.findings
    assert (finding.desired, finding.live) == ("(redacted)", "(redacted)")
    assert finding.why == "was changed from (redacted) to (redacted)"


def test_a_secret_objects_data_is_redacted_and_its_absence_is_told() -> None:
    found = seen(difference("sid/db", "data.url", kind="Secret", sides=("postgres://x", None, None)))
    assert (found.findings[0].desired, found.findings[0].live) == ("(redacted)", "—")


def test_findings_are_worst_first_whatever_the_order_of_the_plan() -> None:
    told = [
        difference("b", severity=Severity.LOW),
        difference("a", severity=Severity.LOW),
        difference("z", severity=Severity.CRITICAL, component=Component.WORKLOADS),
    ]
    for order in itertools.permutations(told):
        found = seen(*order)
        assert [f.resource for f in found.findings] == ["server z", "server a", "server b"]
        assert list(by_component(found.findings)) == [Component.INFRASTRUCTURE, Component.WORKLOADS]
        assert found.headline == "3 differences (1 critical, 2 low)"


def test_findings_that_differ_by_resource_only_are_alike() -> None:
    found = seen(difference("a"), difference("b"), difference("c", "flavor", sides=("m1", "m1", "m2")))
    assert [[f.resource for f in group] for group in alike(found.findings)] == [["server a", "server b"], ["server c"]]


def test_ignored_differences_stand_apart() -> None:
    found = seen(difference(cls=Class.IGNORED, action=Action.NONE))
    assert (found.findings, [f.cls for f in found.ignored]) == ((), [Class.IGNORED])
    assert "1 difference" not in found.headline


def test_what_follows_is_told_with_its_cause_and_makes_it_worse() -> None:
    root = replace(difference("w"), severity=Severity.MEDIUM, effects=("node w is not Ready",))
    follower = replace(difference("w2"), severity=Severity.CRITICAL, cause=root.key)
    (found,) = seen(root, follower).findings
    assert (found.severity, found.effects) == (Severity.CRITICAL, ("node w is not Ready",))
    assert found.chain.endswith(" → node w is not Ready")
    assert len(seen(follower).findings) == 1  # its cause is not told: then it is


def test_a_plan_takes_as_long_as_its_steps() -> None:
    steps = tuple(Step(Component.INFRASTRUCTURE, Tool.TERRAFORM, "apply", "s", seconds=s) for s in (1.5, 2.0))
    assert view(Plan("demo", "c", (), steps), status=Status.DRIFTED).seconds == 3.5
    unknown = (*steps, replace(steps[0], seconds=None))
    assert view(Plan("demo", "c", (), unknown), status=Status.DRIFTED).seconds is None


def test_a_finding_names_the_step_that_repairs_it() -> None:
    told, other = difference("a"), difference("b")
    steps = (Step(Component.INFRASTRUCTURE, Tool.TERRAFORM, "apply", "s", differences=(told,)),)
    found = view(Plan("demo", "c", (told, other), steps), status=Status.DRIFTED)
    assert [f.repair for f in found.findings] == ["create it (step 1)", "create it"]


def test_unknowns_are_told_once_with_the_observers_hint() -> None:
    unknown = difference(
        "*", sides=(None, None, None), cls=Class.UNKNOWN, action=Action.NONE, why="could not be observed: down"
    )
    observed = Observed(
        {
            Component.INFRASTRUCTURE: {"server": Unknown("down", "start it")},
            Component.KUBERNETES: {"node": Unknown("refused")},
        }
    )
    found = view(Plan("demo", "c", (unknown,)), status=Status.UNKNOWN, observed=observed)
    assert [(u.what, u.reason, u.hint) for u in found.unknowns] == [
        ("server", "down", "start it"),
        ("node", "refused", ""),
    ]
    assert found.findings == ()
    assert found.headline == "unknown: 2 could not be observed"


@pytest.mark.parametrize(
    ("status", "error", "headline"),
    [
        (Status.IN_SYNC, "", "in sync, repaired 1 difference (1 high)"),
        (Status.FAILED, "terraform: no quota", "failed: terraform: no quota"),
        (Status.BLOCKED, "", "blocked: 1 difference (1 high)"),
        (Status.SUSPENDED, "", "suspended: 1 difference (1 high)"),
    ],
)
def test_headline_of_an_outcome(status: Status, error: str, headline: str) -> None:
    step = Step(Component.INFRASTRUCTURE, Tool.TERRAFORM, "apply", "1 to create")
    plan = Plan("demo", "c", (difference(),), (step,), (Refusal("g", "m", "wait:\n- {plan: 'a'}"),))
    result = StepOutcome(step, 1.239, error, "raise it" if error else "")
    outcome = Outcome("demo", "c", status, plan, plan, (result,), 1.3, error, "raise it" if error else "")
    found = view(plan, status=status, outcome=outcome)
    assert found.headline == headline
    assert found.hint == ("raise it" if error else "")
    assert (found.results[0].ok, found.results[0].seconds) == (not error, 1.24)
    assert [(r.approval, r.paste) for r in found.refusals] == [("wait:", "- {plan: 'a'}")]
    assert found.finished


def test_picture_shows_each_server_as_it_is() -> None:
    names = ["demo-cp-1", "demo-worker-1", "demo-worker-2", "demo-worker-10"]
    wanted = tuple(Resource("server", n, {"metadata.reconciler.group": n.split("-")[1]}) for n in names)
    live = [
        Resource("server", n, {"status": "ACTIVE", "fixed_ip": "10.0.0.9"})
        for n in ("demo-cp-1", "demo-worker-2", "stray")
    ]
    nodes = (Resource("node", "demo-cp-1", {"ready": True}), Resource("node", "demo-worker-2", {"ready": False}))
    observed = Observed(
        {Component.INFRASTRUCTURE: {"server": Known(tuple(live))}, Component.KUBERNETES: {"node": Known(nodes)}}
    )
    plan = Plan(
        "demo",
        "c",
        (
            difference("demo-worker-1"),
            difference("demo-worker-10", cls=Class.PENDING),
            difference(
                "demo-worker-2", "ready", component=Component.KUBERNETES, kind="node", sides=(True, True, False)
            ),
            difference("stray", cls=Class.UNMANAGED, action=Action.DELETE),
        ),
    )
    picture = view(
        plan, status=Status.DRIFTED, observed=observed, expected=Expected({Component.INFRASTRUCTURE: wanted})
    ).picture
    assert [(g.name, [(s.name, s.state) for s in g.servers]) for g in picture.groups] == [
        ("control plane", [("demo-cp-1", State.OK)]),
        (
            "worker",
            [("demo-worker-1", State.MISSING), ("demo-worker-2", State.DRIFTED), ("demo-worker-10", State.PLANNED)],
        ),
        ("unexpected", [("stray", State.UNEXPECTED)]),
    ]
    assert [(s.ip, s.node) for s in picture.servers[:3]] == [
        ("10.0.0.9", "ready"),
        ("—", "—"),
        ("10.0.0.9", "not ready"),
    ]
    assert [s.name for s in picture.servers if s.drifted] == ["demo-worker-1", "demo-worker-2", "stray"]


def test_picture_never_shows_what_could_not_be_observed_as_gone() -> None:
    wanted = Expected({Component.INFRASTRUCTURE: (Resource("server", "demo-cp-1"),)})
    observed = Observed(
        {Component.INFRASTRUCTURE: {"server": Unknown("down")}, Component.KUBERNETES: {"node": Unknown("down")}}
    )
    for live in (observed, None):
        (server,) = view(Plan("demo", "c"), status=Status.UNKNOWN, observed=live, expected=wanted).picture.servers
        assert server.state is State.UNKNOWN
    (server,) = view(Plan("demo", "c"), status=Status.UNKNOWN, observed=observed, expected=wanted).picture.servers
    assert server.node == "unknown"


def test_layers_are_only_well_when_they_were_observed() -> None:
    workload = Resource("Deployment", "sid/backend")
    wanted = Expected({Component.WORKLOADS: (workload,)})
    for listing, unknown in ((Known((workload,)), False), (Unknown("down"), True), (None, True)):
        observed = Observed({Component.WORKLOADS: {"Deployment": listing} if listing else {}})
        (layer,) = view(Plan("demo", "c"), status=Status.UNKNOWN, observed=observed, expected=wanted).picture.layers
        assert (layer.name, layer.total, layer.different, layer.unknown) == ("workloads", 1, (), unknown)


def test_a_server_on_its_way_out_keeps_its_group() -> None:
    live = Resource("server", "demo-worker-2", {"metadata.reconciler.group": "worker"}, "id-2")
    observed = Observed({Component.INFRASTRUCTURE: {"server": Known((live,))}})
    leaving = Plan("demo", "c", (difference("demo-worker-2", cls=Class.PENDING, action=Action.DELETE),))
    picture = view(leaving, status=Status.DRIFTED, observed=observed).picture
    assert [(g.name, [s.state for s in g.servers]) for g in picture.groups] == [("worker", [State.LEAVING])]


def test_what_hides_many_kinds_is_one_message() -> None:
    missing = Unknown("there is no kubeconfig a.conf", "the settings say where it lies")
    other = Unknown("no answer")
    kinds = dict.fromkeys(("ConfigMap", "Deployment"), missing) | {"Job": other}
    observed = Observed({Component.WORKLOADS: kinds, Component.APPLICATIONS: {"Route": missing}})
    told = gathered(view(Plan("demo", "c0ffee"), status=Status.UNKNOWN, observed=observed).unknowns)
    assert [(u.component, u.what, u.reason) for u in told] == [
        (Component.WORKLOADS, "ConfigMap, Deployment, applications Route", missing.reason),
        (Component.WORKLOADS, "Job", "no answer"),
    ]


@pytest.mark.parametrize("width", [20, 40, 59, 60, 200])
def test_a_narrow_terminal_shows_all_of_a_finding(width: int) -> None:
    sink = io.StringIO()
    Console(sink, width=width).print(terminal.render(seen(difference(field="labels.team"))))
    assert max(map(len, sink.getvalue().splitlines())) <= width
    words = sink.getvalue().split()
    assert {"high", "drift", "labels.team", "create"} <= set(words)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_line_that_approves_is_yaml_however_narrow_the_terminal_is(width: int) -> None:
    line = "- {plan: '1f2e3d4c5b6a', guards: [max-deletion-percent], expires: YYYY-MM-DD, reason: why}"
    refused = Refusal("max-deletion-percent", "would delete much", f"raise it; or approve it:\n{line}")
    sink = io.StringIO()
    Console(sink, width=width).print(
        terminal.render(view(Plan("demo", "c0ffee", refusals=(refused,)), status=Status.BLOCKED))
    )
    lines = sink.getvalue().splitlines()
    (first,) = [number for number, text in enumerate(lines) if "- {plan:" in text]
    (entry,) = yaml.safe_load("\n".join(lines[first:]))
    assert entry == yaml.safe_load(line)[0]


def test_no_color_is_no_escape_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal.render(seen(difference()))
    for wanted, value in ((False, "1"), (True, "")):
        monkeypatch.setenv("NO_COLOR", value)
        monkeypatch.setenv("TERM", "xterm-256color")
        sink = io.StringIO()
        Console(sink, force_terminal=True, width=100).print(shown)
        assert ("\x1b[" in sink.getvalue()) is wanted
