"""What must hold whatever the input: nothing differs from itself, repair ends drift, order never matters."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.diff import diff
from reconciler.engine.planner import plan
from reconciler.model.change import Action, Class, Difference
from reconciler.model.resource import Component, Expected, Key, Known, Observed, Resource, Unknown, Value

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


@given(resources, resources, st.sampled_from(KINDS))
def test_with_anything_unknown_the_component_gets_no_step(
    want: tuple[Resource, ...], live: tuple[Resource, ...], hidden: str
) -> None:
    infra = Component.INFRASTRUCTURE
    kinds = {**seen(infra, live).kinds(infra), hidden: Unknown("no answer")}
    found = diff(Expected({infra: want}), Expected({infra: live}), Observed({infra: kinds}))
    made = plan("demo", "c", found, control_plane=())
    assert made.steps == ()
    assert any(d.cls is Class.UNKNOWN for d in made.differences)
