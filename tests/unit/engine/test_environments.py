"""Ends that come near, ends that are over, and volumes that can't shrink: told, and no more is done than can be."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from reconciler.engine.environments import Asked, explained, notices
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.desired import Environment
from reconciler.model.plan import Plan
from reconciler.model.resource import Component, Key, Owner, Value

NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)


def asked(expires: str | None = None, name: str = "work") -> Asked:
    spec = {"type": "jupyter", "owner": "ada"} | ({"expires": expires} if expires else {})
    document = {"apiVersion": "research.moc/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": spec}
    return Asked(Environment.model_validate(document), "env-ada", "desired/demo/environments/ada.yaml:8", "a.yaml:9")


def difference(
    key: Key, field: str, desired: Value, live: Value, component: Component = Component.WORKLOADS
) -> Difference:
    sides = (desired, desired, live, Class.DRIFT, Action.UPDATE, Severity.MEDIUM)
    return Difference(component, key, field, *sides, "was changed outside git")


@pytest.mark.parametrize(
    ("expires", "level", "words"),
    [
        (None, None, ""),
        ("2027-06-30", None, ""),
        ("2026-12-10", None, ""),
        ("2026-12-09", Severity.LOW, "within two weeks"),
        ("2026-12-03", Severity.LOW, "within two weeks"),
        ("2026-12-02", Severity.MEDIUM, "within a week"),
        ("2026-11-27", Severity.MEDIUM, "within a week"),
        ("2026-11-26", Severity.HIGH, "today or tomorrow"),
        ("2026-11-25", Severity.HIGH, "today or tomorrow"),
        ("2026-11-24", Severity.LOW, "it is stopped and its volume is kept"),
        ("2020-01-01", Severity.LOW, "it is stopped and its volume is kept"),
    ],
)
def test_an_end_is_told_the_louder_the_nearer(expires: str | None, level: Severity | None, words: str) -> None:
    found = notices([asked(expires)], NOON)
    assert [d.severity for d in found] == ([level] if level is not None else [])
    for d in found:
        assert (str(d.key), d.cls, d.action) == ("Environment ada/work", Class.NOTICE, Action.NONE)
        assert words in d.why
        assert "desired/demo/environments/ada.yaml:8" in d.why


def test_a_day_is_one_of_utc_wherever_the_clock_is() -> None:
    east = NOON.replace(hour=23).astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert east.date() == datetime.date(2026, 11, 26)
    (found,) = notices([asked("2026-11-25")], east)
    assert found.severity is Severity.HIGH


def test_a_notice_is_no_difference() -> None:
    plan = Plan("demo", "c0ffee", notices([asked("2026-11-24"), asked("2026-11-26", "other")], NOON))
    assert plan.in_sync
    assert (len(plan.open), len(plan.notices)) == (0, 2)


def test_what_stops_an_expired_environment_says_so() -> None:
    stops = replace(difference(Key("StatefulSet", "env-ada/work"), "spec.replicas", 0, 1), owner=Owner("sid-backend"))
    assert stops.contested
    (found,) = explained([stops], [asked("2026-11-24")], NOON)
    assert (found.contested, found.taken) == (False, True)
    assert found.why == "the environment expired on 2026-11-24: it is stopped"
    assert found.action is Action.UPDATE
    assert explained([stops], [asked("2026-11-25")], NOON) == (stops,)


SIZE = "spec.resources.requests.storage"
CLAIM = Key("PersistentVolumeClaim", "env-ada/work")


def test_a_volume_that_would_shrink_is_left_and_told_with_its_line() -> None:
    (found,) = explained([difference(CLAIM, SIZE, "5Gi", "10Gi")], [asked()], NOON)
    assert (found.cls, found.action) == (Class.PENDING, Action.NONE)
    assert found.why.startswith("a volume may grow and never shrinks: ask for 10Gi again (a.yaml:9)")


@pytest.mark.parametrize(("desired", "live"), [("20Gi", "10Gi"), ("10240Mi", "10Gi"), ("1Ei", "10Gi"), (None, "10Gi")])
def test_a_volume_that_grows_is_a_change_like_any_other(desired: Value, live: Value) -> None:
    grows = difference(CLAIM, SIZE, desired, live)
    assert explained([grows], [asked()], NOON) == (grows,)


def test_a_claim_keeps_its_class() -> None:
    (found,) = explained([difference(CLAIM, "spec.storageClassName", "fast", "standard")], [], NOON)
    assert (found.action, "never changes this" in found.why) == (Action.NONE, True)


def test_other_components_are_none_of_its_business() -> None:
    other = difference(CLAIM, SIZE, "5Gi", "10Gi", Component.APPLICATIONS)
    assert explained([other], [asked("2020-01-01")], NOON) == (other,)
