"""Observed and applied state as text: what is written can be read, and what can't be read counts as none."""

from __future__ import annotations

import datetime

import pytest
import yaml

from reconciler.control.record import (
    Failed,
    applied_text,
    drift_text,
    message,
    now_applied,
    observed_text,
    read_applied,
    read_drift,
    read_failed,
)
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.lease import Lease
from reconciler.model.outcome import Outcome, Status, StepOutcome
from reconciler.model.plan import Plan, Step, Tool
from reconciler.model.resource import Component, Expected, Key, Known, Listing, Observed, Resource, Unknown, Value

# ten to the ninth values, in 537 bytes
LAUGHS = b"workloads: &a0 [{kind: A, name: b}]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)
)
INFRA, WORK, APPS = Component.INFRASTRUCTURE, Component.WORKLOADS, Component.APPLICATIONS
FIELDS: dict[str, Value] = {
    "none": None, "yes": True, "no": False, "number": 3, "float": 0.5, "text": "3", "empty": "", "norway": "no",
    "date": "2026-11-24", "octal": "0644", "null": "null", "tuple": ("b", "a", (1, None)), "nothing": (),
    "lines": "a\n  b\n", "unicode": "Zürich \u2028 \x85", "colon": "a: b # c", "tab": "\t",
}  # fmt: skip


def difference(component: Component, cls: Class = Class.DRIFT, action: Action = Action.UPDATE) -> Difference:
    key = Key("server", "a")
    return Difference(component, key, "flavor", 1, 2, 3, cls, action, Severity.LOW, "why")


def outcome(*left: Difference, steps: tuple[StepOutcome, ...] = ()) -> Outcome:
    after = Plan("demo", "c0ffee", left)
    return Outcome("demo", "c0ffee", Status.DRIFTED, after, after, steps)


def test_what_is_applied_is_read_back_as_it_was() -> None:
    applied = Expected(
        {
            INFRA: (Resource("server", "a", FIELDS), Resource("server", "b")),
            WORK: (Resource("ConfigMap", "sid/a", digest="0123", type="v1/ConfigMap"),),
            APPS: (Resource("Route", "web/a", digest="1e5", type="r/v1/Route", target="moc"),),
        }
    )
    assert read_applied(applied_text(applied).encode()) == applied


def test_an_objects_fields_are_not_written_down_its_digest_is() -> None:
    text = applied_text(
        Expected({WORK: (Resource("Secret", "sid/a", {"data.p": "hunter2"}, digest="d", type="v1/S"),)})
    )
    assert "hunter2" not in text


def test_writing_it_again_gives_the_same_text() -> None:
    applied = Expected({INFRA: (Resource("server", "a", FIELDS),)})
    other = Expected({INFRA: (Resource("server", "a", dict(reversed(FIELDS.items()))),)})
    assert applied_text(applied) == applied_text(read_applied(applied_text(applied).encode())) == applied_text(other)


@pytest.mark.parametrize(
    "text",
    [
        None, b"", b"\xff\xfe", b"a: [", b"just text", b"- list", b"1", b"storage: []", b"workloads: 1",
        b"workloads: [1]", b"workloads: [{kind: A}]", b"workloads: [{kind: A, name: b, fields: 1}]", b"workloads:",
        b"a: !!python/object:os.system x", b"<<<<<<< HEAD\n", b"? [a]\n: b", b"{a: b}: c",
        b"workloads: [{kind: [a], name: b}]", b"workloads: [{kind: A, name: [b]}]", b"workloads: [{kind: A, name: 1}]",
        b"workloads: [{kind: A, name: b, target: [c]}]", b"workloads: [{kind: A, name: b, wave: first}]",
        b"workloads: [{kind: A, name: b, wave: -1}]", b"workloads: [{kind: A, name: b, digest: {}}]",
        b"workloads: [{kind: A, name: b, fields: {a: {b: c}}}]", b"workloads: [{kind: A, name: b, fields: {a: [{}]}}]",
        b'workloads: [{kind: A, name: "\\e[31m"}]', b'workloads: [{kind: A, name: "\\u202e"}]',
        b"workloads: [{kind: ../A, name: b}]", b"workloads: [{kind: A, name: b, type: ../../x/Secret}]",
        b"workloads: [{kind: A, name: b, type: ../v1/Secret}]", b"workloads: [{kind: A, name: %s}]" % (b"b" * 2000),
        b"workloads: &a [*a]", b"[" * 100_000, LAUGHS,
    ],
)  # fmt: skip
def test_a_damaged_record_counts_as_none(text: bytes | None) -> None:
    told: list[str] = []
    assert read_applied(text, told.append) == Expected({})
    assert len(told) == bool(text), "why is said, and nothing of what is not there"
    assert all(why.startswith("applied.yaml:") and why.isprintable() and len(why) < 500 for why in told)


@pytest.mark.parametrize(
    "text",
    [
        None, b"", b"[]", b"failed: 1", b"failed: []", b"failed: {error: [a]}", b"failed: {error: 1}", b"[" * 100_000,
        b"failed: {error: no, commit: c0f}", b"failed: {error: no, commit: --upload-pack=x}", b"a: &a {a: *a}", LAUGHS,
    ],
)  # fmt: skip
def test_a_damaged_observation_tells_of_no_failure(text: bytes | None) -> None:
    told: list[str] = []
    assert read_failed(text, told.append) == Failed()
    assert len(told) == bool(text)


def test_what_failed_is_read_back() -> None:
    failed = Failed("c0ffee" * 6 + "c0ff", "no quota left\n  ask")
    text = observed_text(
        "demo", Status.FAILED, Observed({INFRA: {"server": Known((Resource("server", "a"),))}}), failed
    )
    assert read_failed(text.encode()) == failed


@pytest.mark.parametrize(
    "text",
    [
        b"1", b"{}", b"[1]", b"[[a]]", b"[{kind: a, name: b}]", b"[{component: [a], kind: a, name: b}]",
        b"[{component: a, kind: {}, name: b}]", b"[{component: a, kind: b, name: c, field: [d]}]", b"[" * 100_000,
        b"&a [*a]", LAUGHS,
    ],
)  # fmt: skip
def test_a_damaged_list_of_differences_is_no_empty_one(text: bytes) -> None:
    told: list[str] = []
    assert read_drift(text, told.append) is None
    assert len(told) == 1


def test_differences_are_read_back() -> None:
    one = frozenset({("infrastructure", "server", "a", "", "flavor")})
    assert read_drift(drift_text([difference(INFRA)]).encode()) == one
    assert read_drift(drift_text([]).encode()) == frozenset()


def test_what_was_observed_is_yaml_that_people_can_read() -> None:
    infra: dict[str, Listing] = {
        "server": Known((Resource("server", "a", FIELDS, "id-1", "demo"),)),
        "port": Unknown("does not answer"),
    }
    text = observed_text("demo", Status.UNKNOWN, Observed({INFRA: infra}))
    found = yaml.safe_load(text)
    assert (found["cluster"], found["status"]) == ("demo", "unknown")
    (server,) = found["components"]["infrastructure"]["server"]
    plain = {k: [*v[:-1], [1, None]] if k == "tuple" and isinstance(v, tuple) else v for k, v in FIELDS.items()}
    assert server == {**plain, "nothing": [], "name": "a", "id": "id-1"}
    assert found["components"]["infrastructure"]["port"] == {"unknown": "does not answer"}
    assert text == observed_text("demo", Status.UNKNOWN, Observed({INFRA: dict(reversed(infra.items()))}))


@pytest.mark.parametrize(
    ("left", "stands"),
    [
        ((), "new"),
        ((difference(INFRA),), "old"),
        ((difference(INFRA, Class.UNKNOWN, Action.NONE),), "old"),
        ((difference(INFRA, Class.IGNORED, Action.NONE),), "new"),
        ((difference(WORK),), "new"),
    ],
)
def test_a_component_counts_as_applied_when_nothing_of_it_is_left(left: tuple[Difference, ...], stands: str) -> None:
    new, old = (Expected({c: (Resource("x", word),) for c in Component}) for word in ("new", "old"))
    made = now_applied(new, old, outcome(*left))
    assert made.resources(INFRA) == (Resource("x", stands),)
    assert set(made.components) == set(Component)


def test_the_message_says_what_happened_and_ends_with_trailers() -> None:
    step = Step(INFRA, Tool.TERRAFORM, "apply", "1 to create")
    steps = (StepOutcome(step, 1.0), StepOutcome(step, 1.0, "no quota left", "ask"))
    now = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
    text = message(outcome(difference(INFRA), steps=steps), Lease("a", 7, "1234", now, now, number=12))
    assert text == (
        "demo: drifted\n\n- infrastructure apply: 1 to create\n- infrastructure apply: no quota left\n"
        "- left: server a flavor (drift)\n\n"
        "Desired-Commit: c0ffee\nChanges: 2\nLease: 1234\nLease-Number: 12\n"
    )
    assert message(outcome()) == "demo: drifted\n\nDesired-Commit: c0ffee\nChanges: 0\n"
