"""What must hold whatever the input: nothing differs from itself, repair ends drift, order never matters."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.decision import Case, decide
from reconciler.engine.diff import diff
from reconciler.engine.guard import Facts
from reconciler.engine.ignore import matches
from reconciler.engine.planner import plan
from reconciler.engine.playbook import Roles
from reconciler.model.change import Action, Class, Difference
from reconciler.model.desired import Guards, Ignore, Maintenance
from reconciler.model.plan import Plan
from reconciler.model.resource import Component, Expected, Key, Known, Observed, Resource, Symptom, Unknown, Value

KINDS = ("server", "port", "security_group_rule")
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b", ""]))
values: st.SearchStrategy[Value] = st.one_of(scalars, st.lists(scalars, max_size=2).map(tuple))
fields = st.dictionaries(st.sampled_from(["flavor", "image", "status"]), values, max_size=3)
resource = st.builds(Resource, st.sampled_from(KINDS), st.sampled_from(["n1", "n2", "n3"]), fields)


def distinct(found: Sequence[Resource]) -> tuple[Resource, ...]:
    return tuple({r.key: r for r in found}.values())


resources = st.lists(resource, max_size=9).map(distinct)
components = st.sampled_from(list(Component))


def seen(component: Component, found: Sequence[Resource]) -> Observed:
    return Observed({component: {kind: Known(tuple(r for r in found if r.kind == kind)) for kind in KINDS}})


@given(components, resources)
def test_nothing_differs_from_itself(component: Component, found: tuple[Resource, ...]) -> None:
    want = Expected({component: found})
    assert diff(want, want, seen(component, found)) == ()


@given(components, resources, resources, resources)
def test_applied_differences_leave_none(
    component: Component, want: tuple[Resource, ...], before: tuple[Resource, ...], live: tuple[Resource, ...]
) -> None:
    desired, applied = Expected({component: want}), Expected({component: before})
    repaired = apply(diff(desired, applied, seen(component, live)), want, live)
    assert diff(desired, desired, seen(component, repaired)) == ()


def apply(
    differences: Sequence[Difference], want: Sequence[Resource], live: Sequence[Resource]
) -> tuple[Resource, ...]:
    """A model of what every tool does with a difference."""
    wanted = {r.key: r for r in want}
    state: dict[Key, Resource] = {r.key: r for r in live}
    for d in differences:
        if d.action is Action.DELETE:
            del state[d.key]
        elif d.action is Action.CREATE:
            state[d.key] = wanted[d.key]
        else:
            old = state[d.key]
            changed = {**old.fields, d.field: d.desired}
            state[d.key] = Resource(
                old.kind, old.name, {k: v for k, v in changed.items() if v is not None or k in wanted[d.key].fields}
            )
    return tuple(state.values())


@given(components, resources, resources, st.randoms())
def test_order_of_input_never_matters(component: Component, want, live, random) -> None:  # type: ignore[no-untyped-def]
    def outcome(w: Sequence[Resource], now: Sequence[Resource]) -> tuple[Difference, ...]:
        return diff(Expected({component: tuple(w)}), Expected({}), seen(component, now))

    shuffled_want, shuffled_live = list(want), list(live)
    random.shuffle(shuffled_want)
    random.shuffle(shuffled_live)
    assert outcome(want, live) == outcome(shuffled_want, shuffled_live)


LONG_AGO = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
pods = st.lists(
    st.builds(Symptom, st.just("Pod"), st.sampled_from(["a", "b"]), st.sampled_from(["", "n1"]), st.just("pending")),
    max_size=3,
)
rules = st.lists(
    st.builds(Ignore, resource=st.sampled_from(["server *", "port n1"]), field=st.just("flavor")), max_size=2
)


def decided(
    want: Sequence[Resource], before: Sequence[Resource], live: Observed, ignore: Sequence[Ignore] = ()
) -> Plan:
    infra = Component.INFRASTRUCTURE
    facts = Facts(
        Guards.model_validate({"maxDeletions": 1000, "maxDeletionPercent": 100, "maxReplacedServers": 1000}),
        (),
        9,
        9,
        Maintenance(),
        LONG_AGO,
    )
    expected, applied = Expected({infra: tuple(want)}), Expected({infra: tuple(before)})
    return decide(Case("demo", "c", expected, applied, live, Roles(), facts, ignore=ignore))


@given(resources, resources, pods, rules, st.randoms())
def test_the_order_of_what_was_seen_never_matters(want, live, waiting, ignore, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = [list(x) for x in (want, live, waiting)]
    for each in shuffled:
        random.shuffle(each)
    infra = Component.INFRASTRUCTURE
    one = decided(want, live, replace(seen(infra, live), symptoms=tuple(waiting)), ignore)
    other = decided(shuffled[0], live, replace(seen(infra, shuffled[1]), symptoms=tuple(shuffled[2])), ignore)
    assert one == other


@given(resources, resources, resources, pods)
def test_after_a_plans_steps_nothing_is_left(want, before, live, waiting) -> None:  # type: ignore[no-untyped-def]
    infra = Component.INFRASTRUCTURE
    plan_ = decided(want, before, replace(seen(infra, live), symptoms=tuple(waiting)))
    carried_out = tuple(d for step in plan_.steps for d in step.differences)
    left = decided(want, want, seen(infra, apply(carried_out, want, live)))
    assert (left.in_sync, left.differences) == (True, ())


@given(resources, resources, resources, rules)
def test_what_is_ignored_is_never_acted_on(want, before, live, ignore) -> None:  # type: ignore[no-untyped-def]
    plan_ = decided(want, before, seen(Component.INFRASTRUCTURE, live), ignore)
    acted_on = [d for step in plan_.steps for d in step.differences]
    assert not [d for d in acted_on if any(matches(rule, d) for rule in ignore)]
    assert all(d.cause in {other.key for other in plan_.differences} for d in plan_.differences if d.cause)


@given(resources, resources, st.sampled_from(KINDS))
def test_with_anything_unknown_the_component_gets_no_step(
    want: tuple[Resource, ...], live: tuple[Resource, ...], hidden: str
) -> None:
    infra = Component.INFRASTRUCTURE
    kinds = {**seen(infra, live).kinds(infra), hidden: Unknown("no answer")}
    found = diff(Expected({infra: want}), Expected({infra: live}), Observed({infra: kinds}))
    made = plan("demo", "c", found, roles=Roles())
    assert made.steps == ()
    assert any(d.cls is Class.UNKNOWN for d in made.differences)
