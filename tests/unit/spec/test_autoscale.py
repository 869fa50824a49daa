"""The autoscaler's file: what it makes of a cluster, what people's words do to it, and its own mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Invalid, Problem
from reconciler.model.desired import (
    Autoscale,
    NodeGroup,
    Removed,
    ScaledGroup,
    effective,
)
from reconciler.spec import autoscale, resolved
from reconciler.spec.layers import Origin
from reconciler.spec.render.machines import machines
from reconciler.spec.validate import validate
from reconciler.spec.yaml import parse
from tests.unit.examples import desired

FILE = "desired/demo/autoscale.yaml"
BOUNDED = ("count: 2", "count: 2\n      min: 1\n      max: 5")
HEAD = "apiVersion: research.moc/v1alpha1\nkind: Autoscale\nmetadata: {name: demo}\nspec:\n  nodeGroups:\n"
SERVER = "1f0c6f9e-6f0f-4f6c-9a43-1d5b6a3f8a10"


def names(group: str, *changes: tuple[str, str]) -> list[str]:
    (found,) = desired(*changes, extra={FILE: HEAD + group})
    return [m.name for m in machines(found.cluster) if m.role == "node"]


def problems(text: str, *changes: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        desired(*changes, extra={FILE: text})
    return caught.value.problems


def test_the_file_names_the_machines() -> None:
    said = "    - {name: worker, machines: [1, 3, 4], next: 5}\n"
    assert names(said, BOUNDED) == ["demo-worker-1", "demo-worker-3", "demo-worker-4"]


def test_people_say_where_it_starts() -> None:
    assert names("    - {name: other, machines: [7], next: 8}\n", BOUNDED) == ["demo-worker-1", "demo-worker-2"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("count: 2", "count: 2\n      min: 1\n      max: 2"), [1, 3]),  # a lower max takes the last ones
        (("count: 2", "count: 4\n      min: 4\n      max: 5"), [1, 3, 4, 6]),  # a higher min adds new ones
        (("count: 2", "count: 2\n      min: 1\n      max: 5\n      without: [3]"), [1, 4]),
        (
            ("count: 2", "count: 3\n      min: 3\n      max: 3\n      without: [3, 6]"),
            [1, 4, 7],
        ),
        (("count: 2", "count: 2"), [1, 2]),  # no bounds: people decide
    ],
)
def test_what_people_say_wins(change: tuple[str, str], expected: list[int]) -> None:
    said = f'    - {{name: worker, machines: [1, 3, 4], next: 6, removed: [{{number: 5, server: "{SERVER}"}}]}}\n'
    assert names(said, change) == [f"demo-worker-{n}" for n in expected]


def test_a_resolved_cluster_says_whose_the_count_is() -> None:
    (found,) = desired(BOUNDED, extra={FILE: HEAD + "    - name: worker\n      machines: [2, 9]\n      next: 10\n"})
    count = next(line for line in resolved.lines(found) if line.path == ("spec", "nodeGroups", 0, "count"))
    assert count.text.strip(" -") == "count: 2"
    assert count.origin == Origin("autoscaler", FILE, 7)
    assert found.origin(("spec", "nodeGroups", 0, "min")).layer == "cluster"


@pytest.mark.parametrize(
    ("said", "line", "message"),
    [
        ("    - {name: worker, machines: [1, 1], next: 2}\n", 6, "already"),
        ("    - {name: worker, machines: [4], next: 4}\n", 6, "must be more than every number in use (4)"),
        ("    - {name: worker, machines: [0], next: 4}\n", 6, "greater than or equal to 1"),
        ("    - {name: worker, machines: [], next: 1, target: 3}\n", 6, "unknown key 'target'"),
        (f'    - {{name: a, machines: [1], next: 2, removed: [{{number: 1, server: "{SERVER}"}}]}}\n', 6, "too"),
        ("    - {name: a, next: 1}\n    - {name: a, next: 1}\n", 7, "already the name of another entry"),
    ],
)
def test_a_mistake_has_its_line(said: str, line: int, message: str) -> None:
    (problem,) = problems(HEAD + said, BOUNDED)
    assert (problem.file, problem.line) == (FILE, line)
    assert message in problem.message


def test_another_clusters_file_is_none_of_ours() -> None:
    (problem,) = problems(HEAD.replace("demo", "other") + "    - {name: worker, next: 1}\n")
    assert (problem.file, problem.path) == (FILE, "metadata.name")


def test_a_name_must_fit_a_host() -> None:
    long = ("name: worker", f"name: {'w' * 40}")
    short = ("name: demo", f"name: {'d' * 17}")
    said = HEAD.replace("demo", "d" * 17) + f"    - {{name: {'w' * 40}, machines: [99999], next: 100000}}\n"
    with pytest.raises(Invalid) as caught:
        desired(long, short, BOUNDED, extra={FILE: said})
    assert any("longer than 63" in p.message and p.file == FILE for p in caught.value.problems)


numbers = st.lists(st.integers(1, 40), unique=True, max_size=8)


@st.composite
def groups(draw: st.DrawFn) -> tuple[NodeGroup, ScaledGroup]:
    low = draw(st.integers(0, 6))
    high = draw(st.integers(low, 9))
    without = tuple(draw(numbers))
    written = NodeGroup(name="w", flavor="f", count=draw(st.integers(low, high)), min=low, max=high, without=without)
    taken = draw(numbers)
    here = tuple(n for n in taken if n % 2)
    gone = tuple(Removed(number=n, server=SERVER) for n in taken if n % 2 == 0)
    following = max(taken, default=0) + draw(st.integers(1, 3))
    return written, ScaledGroup(name="w", machines=here, next=following, removed=gone)


@given(groups())
def test_a_group_is_always_within_its_bounds_and_no_number_comes_back(both: tuple[NodeGroup, ScaledGroup]) -> None:
    written, said = both
    made = effective(written, said)
    assert written.min is not None
    assert written.max is not None
    assert written.min <= len(made.machines) <= written.max
    fresh = set(made.machines) - set(said.machines)
    assert all(number >= said.next for number in fresh)
    assert not set(made.machines) & {*written.without, *(gone.number for gone in said.removed)}
    assert made.next > max(made.machines, default=0)
    assert effective(written, made) == made


@given(st.lists(groups(), max_size=3), st.lists(st.from_regex(r"[0-9a-f]{12}", fullmatch=True), max_size=3))
def test_the_file_reads_as_what_was_written(several: list[tuple[NodeGroup, ScaledGroup]], ids: list[str]) -> None:
    entries = tuple(said.model_copy(update={"name": f"g{n}"}) for n, (_, said) in enumerate(several))
    made = Autoscale.of("demo", entries, ids)
    (document,) = parse(FILE, autoscale.text(made).encode())
    read, wrong = validate(Autoscale, document)
    assert wrong == []
    assert read == made
