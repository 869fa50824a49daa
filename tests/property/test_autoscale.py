"""Whatever order decisions come in, from whichever writer: none is lost, none counts twice, bounds hold, and no other
machine than the chosen one goes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.engine import autoscale
from reconciler.engine.autoscale import Folded, Refused
from reconciler.model.autoscale import Decision, Group, Live
from reconciler.model.desired import Autoscale, Cluster, effective
from reconciler.spec.autoscale import followed
from tests.unit.examples import cluster

LOW, HIGH = 1, 6


def bounded(low: int = LOW, high: int = HIGH) -> Cluster:
    return cluster(("count: 2", f"count: {low}\n      min: {low}\n      max: {high}"))


class Writer:
    """One server without its wires: it decides on what it knows, and pushes what it decided, all of it, when it can."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.base: Autoscale | None = None
        self.pending: list[Decision] = []
        self.made = 0

    def view(self, spec: Cluster) -> tuple[Group, Folded]:
        folded = autoscale.fold(spec, self.base, self.pending)
        seen = autoscale.outlook(spec, folded.file, Live(servers={}))
        return seen.groups["worker"], folded

    def decide(self, spec: Cluster, kind: str, amount: int) -> None:
        group, folded = self.view(spec)
        written = spec.spec.node_groups[0]
        entry = effective(written, folded.file.group("worker"))
        self.made += 1
        id_ = f"{self.name:06x}{self.made:06x}"
        try:
            if kind == "more":
                self.pending.append(autoscale.increase("demo", group, entry, amount, id_))
            else:
                chosen = [i for i in group.instances if i.number in group.machines][amount % 3 :][:1]
                decision = autoscale.delete(group, chosen, id_)
                self.pending += [autoscale.addressed(decision, folded)] if decision else []
        except Refused:
            pass


steps = st.lists(
    st.tuples(st.sampled_from(["more", "less", "push", "lost answer", "fetch"]), st.integers(0, 1), st.integers(1, 3)),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_interleaved_writers(script: list[tuple[str, int, int]]) -> None:
    spec, git = bounded(), None
    writers = (Writer(1), Writer(2))
    landed: list[Decision] = []
    for what, who, amount in (*script, ("push", 0, 1), ("push", 1, 1), ("fetch", 0, 1)):
        writer = writers[who]
        if what in ("more", "less"):
            writer.decide(spec, what, amount)
        elif what == "fetch":
            writer.base = git
        else:
            before = effective(spec.spec.node_groups[0], git.group("worker") if git else None)
            folded = autoscale.fold(spec, git, writer.pending)
            landed += folded.fresh
            git = folded.file if folded.fresh else git
            after = effective(spec.spec.node_groups[0], git.group("worker") if git else None)
            chosen = {n for d in writer.pending for n in d.remove}
            assert set(before.machines) - set(after.machines) <= chosen
            assert all(n >= before.next for n in set(after.machines) - set(before.machines))
            if what == "push":
                writer.base, writer.pending = git, []
            # else the push arrived and its answer was lost: the same is pushed again
        for each in writers:
            group, _ = each.view(spec)
            assert LOW <= group.target <= HIGH
    made = effective(spec.spec.node_groups[0], git.group("worker") if git else None)
    assert len({d.id for d in landed}) == len(landed)
    assert LOW <= len(made.machines) <= HIGH
    assert len(made.machines) == LOW + sum(len(d.add) - len(d.remove) for d in landed)


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(0, 4), st.integers(0, 4))
def test_people_move_the_bounds_at_any_time(script: list[tuple[str, int, int]], low: int, more: int) -> None:
    first, second = bounded(), bounded(low, low + more)
    writer = Writer(1)
    for what, _, amount in script:
        if what in ("more", "less"):
            writer.decide(first, what, amount)
    folded = autoscale.fold(second, None, writer.pending)
    made = effective(second.spec.node_groups[0], folded.file.group("worker"))
    assert low <= len(made.machines) <= low + more
    numbers = followed(second, folded.file).spec.node_groups[0].numbers
    assert numbers == made.machines
