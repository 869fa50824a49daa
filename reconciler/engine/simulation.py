"""Replays a day of pods against node groups, by the rules of the scheduler and of Cluster Autoscaler.

A discrete-event simulation: pods arrive and end, nodes become ready, and every `scan` seconds the autoscaler looks.
Pods go to the emptiest node that takes them, a pod of higher priority may displace placeholders, and a node that is
asked for counts as room that is on its way. Nothing is left to chance: the same day gives the same answer.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from ..model.simulation import Moment, PodRun, Pool, Rules, Setting, Size, Told

_FOREVER = float("inf")
_DEFAULTS = Rules()
_EMPTY_AT_ONCE = 10  # --max-empty-bulk-delete


@dataclass(slots=True, eq=False)
class _Node:
    name: str
    pool: Pool
    asked: float
    ready: float
    free: Size
    pods: dict[str, PodRun] = field(default_factory=dict)
    unneeded: float | None = None

    def room(self, pod: PodRun) -> bool:
        return pod.size.within(self.free) and self.pool.takes(pod)

    def add(self, pod: PodRun) -> None:
        self.pods[pod.name] = pod
        self.free = self.free.minus(pod.size)

    def remove(self, pod: PodRun) -> None:
        del self.pods[pod.name]
        self.free = self.free.plus(pod.size)

    def share(self, size: Size) -> float:
        """The largest part of the node that `size` is; of a node with GPUs, of these alone, as the autoscaler does."""
        if self.pool.size.gpu:
            return size.gpu / self.pool.size.gpu
        return max(size.cpu / max(1, self.pool.size.cpu), size.memory / max(1, self.pool.size.memory))

    @property
    def used(self) -> float:
        return self.share(self.pool.size.minus(self.free))


def simulate(pods: Iterable[PodRun], setting: Setting, rules: Rules = _DEFAULTS) -> Told:
    """Run the day to its end: until every pod that can run has run, and is gone."""
    return _Day(sorted(pods, key=lambda p: (p.arrival, p.name)), setting, rules).run()


class _Day:
    def __init__(self, pods: Sequence[PodRun], setting: Setting, rules: Rules) -> None:
        self._setting = setting
        self._rules = rules
        able = {p.name for p in pods if any(pool.maximum and pool.takes(p) for pool in setting.pools)}
        self._never = [p.name for p in pods if p.name not in able]
        self._left = len(able)  # pods that have not ended
        self._now = 0.0
        self._count = itertools.count(1)
        self._order = itertools.count()
        self._nodes: list[_Node] = []
        self._pending: list[PodRun] = []
        self._place: dict[str, _Node] = {}
        self._ends: dict[str, float] = {}
        self._events: list[tuple[float, int, PodRun | None]] = []
        self._added_at = -_FOREVER
        self._changed = True
        self._waited: dict[str, float] = {}
        self._hours: dict[str, float] = dict.fromkeys((pool.name for pool in setting.pools), 0.0)
        self._moments: list[Moment] = []
        self._most = self._added = self._removed = self._moved = self._displaced = 0
        for pod in pods:
            if pod.name in able:
                self._push(pod.arrival, pod)
        self._pending += _placeholders(setting, rules, {pod.name for pod in pods})

    def run(self) -> Told:
        for pool in self._setting.pools:
            for _ in range(pool.minimum):
                self._ask(pool, ready=0.0)
        scan = 0.0
        while self._left:
            upcoming = self._events[0][0] if self._events else _FOREVER
            self._now = min(scan, upcoming)
            self._happen()
            self._schedule()
            if self._now == scan:
                self._look()
                scan = self._next_look(scan)
                if not self._events:  # nobody runs, nothing is on its way, and nobody asks for more
                    self._never += [pod.name for pod in self._pending if not pod.placeholder]
                    break
            self._note()
        for node in self._nodes:
            self._hours[node.pool.name] += (self._now - node.asked) / 3600
        return Told(
            title=self._setting.title,
            waited=tuple(self._waited.values()),
            node_hours=self._hours,
            never=tuple(self._never),
            moments=tuple(self._moments),
            most=self._most,
            added=self._added,
            removed=self._removed,
            moved=self._moved,
            displaced=self._displaced,
            end=self._now,
        )

    def _next_look(self, scan: float) -> float:
        """The next one at which anything can be decided: without a change, only an idle node's time may be up."""
        upcoming = self._events[0][0] if self._events and not self._changed else scan
        decided = min([upcoming, *self._times_up()]) / self._rules.scan
        return max(scan + self._rules.scan, math.ceil(decided) * self._rules.scan)

    def _times_up(self) -> Iterator[float]:
        """When nodes may go for which it is too early now. Those whose time was up were judged in this look: without a
        change they stay."""
        for node in self._nodes:
            if node.unneeded is not None and self._size(node.pool) > node.pool.minimum:
                time = max(node.unneeded + self._rules.unneeded, self._added_at + self._rules.delay_after_add)
                if time > self._now:
                    yield time

    # what happens

    def _push(self, time: float, pod: PodRun | None) -> None:
        heapq.heappush(self._events, (time, next(self._order), pod))

    def _happen(self) -> None:
        """Arrivals and ends until now. A node that becomes ready is an event without a pod."""
        while self._events and self._events[0][0] <= self._now:
            _, _, pod = heapq.heappop(self._events)
            self._changed = True
            if pod is None:
                continue
            if pod.name not in self._waited and pod.name not in self._ends:
                self._ends[pod.name] = _FOREVER
                self._pending.append(pod)
            elif self._ends[pod.name] <= self._now and pod.name in self._place:
                self._place.pop(pod.name).remove(pod)
                self._left -= 1

    def _ask(self, pool: Pool, ready: float) -> _Node:
        node = _Node(f"{pool.name}-{next(self._count)}", pool, self._now, ready, pool.size)
        self._nodes.append(node)
        self._push(ready, None)
        return node

    # the scheduler

    def _schedule(self) -> None:
        """Highest priority first, then whoever waits longest; placeholders make room for everybody else."""
        if not (self._changed and self._pending):
            return
        waiting = sorted(self._pending, key=lambda p: (-p.priority, p.arrival, p.name))
        self._pending = []
        while waiting:
            pod = waiting.pop(0)
            node = self._best(pod) or self._displace(pod, waiting)
            if node is None:
                self._pending.append(pod)
            else:
                self._start(pod, node)

    def _best(self, pod: PodRun) -> _Node | None:
        """The emptiest ready node that takes it, as the scheduler scores by default (LeastAllocated)."""
        there = [n for n in self._nodes if n.ready <= self._now and n.room(pod)]
        return min(there, key=lambda n: (n.used, n.name), default=None)

    def _displace(self, pod: PodRun, waiting: list[PodRun]) -> _Node | None:
        """The node where the fewest placeholders have to go for the pod; they wait again."""
        best: tuple[int, str, _Node, list[PodRun]] | None = None
        for node in self._nodes:
            if node.ready > self._now or not node.pool.takes(pod):
                continue
            room, victims = node.free, []
            for other in sorted((p for p in node.pods.values() if p.placeholder), key=lambda p: p.name):
                if pod.size.within(room) or other.priority >= pod.priority:
                    break
                victims.append(other)
                room = room.plus(other.size)
            if victims and pod.size.within(room):
                found = (len(victims), node.name, node, victims)
                best = found if best is None or found[:2] < best[:2] else best
        if best is None:
            return None
        for victim in best[3]:
            best[2].remove(victim)
            self._place.pop(victim.name)
            waiting.append(victim)
            self._displaced += 1
        return best[2]

    def _start(self, pod: PodRun, node: _Node) -> None:
        node.add(pod)
        self._place[pod.name] = node
        if pod.placeholder or pod.name in self._waited:
            return
        self._waited[pod.name] = self._now - pod.arrival
        self._ends[pod.name] = self._now + pod.duration
        self._push(self._ends[pod.name], pod)

    # the autoscaler

    def _look(self) -> None:
        before = self._added, self._removed
        if self._changed:
            self._grow()
            self._judge()
        self._shrink()
        self._changed = before != (self._added, self._removed)

    def _grow(self) -> None:
        """One group a look: the one whose new nodes would be least wasted by the pods that wait (least-waste)."""
        unplaced = self._without_room()
        if not unplaced:
            return
        best: tuple[float, int, str, Pool] | None = None
        for pool in self._setting.pools:
            nodes, packed = _packed(pool, unplaced, pool.maximum - self._size(pool))
            if packed:
                waste = 1 - sum(_share(p.size, pool.size) for p in packed) / nodes
                found = (round(waste, 6), nodes, pool.name, pool)
                best = found if best is None or found[:3] < best[:3] else best
        if best:
            for _ in range(best[1]):
                self._ask(best[3], self._now + self._rules.start)
            self._added += best[1]
            self._added_at = self._now

    def _without_room(self) -> list[PodRun]:
        """Those that wait and will not find room on the nodes that are on their way."""
        coming = {n.name: n.free for n in self._nodes if n.ready > self._now}
        found = []
        for pod in sorted(self._pending, key=lambda p: (-p.priority, p.arrival, p.name)):
            if pod.priority < self._rules.cutoff:
                continue
            there = (
                n for n in self._nodes if n.name in coming and pod.size.within(coming[n.name]) and n.pool.takes(pod)
            )
            if (node := next(there, None)) is None:
                found.append(pod)
            else:
                coming[node.name] = coming[node.name].minus(pod.size)
        return found

    def _size(self, pool: Pool) -> int:
        return sum(node.pool is pool for node in self._nodes)

    def _judge(self) -> None:
        """Which nodes are not needed: little used, and what runs there could run elsewhere."""
        for node in self._nodes:
            needed = node.ready > self._now or node.used >= self._rules.utilisation or self._elsewhere(node) is None
            node.unneeded = None if needed else (self._now if node.unneeded is None else node.unneeded)

    def _elsewhere(self, node: _Node) -> dict[str, _Node] | None:
        """Where the node's pods would go; None when one of them has to stay."""
        free = {n.name: n.free for n in self._nodes if n is not node and n.ready <= self._now}
        plan: dict[str, _Node] = {}
        for pod in sorted(node.pods.values(), key=lambda p: (tuple(-part for part in p.size), p.name)):
            others = (n for n in self._nodes if n.name in free and pod.size.within(free[n.name]) and n.pool.takes(pod))
            target = next(others, None)
            if target is None or not pod.movable:
                return None
            free[target.name] = free[target.name].minus(pod.size)
            plan[pod.name] = target
        return plan

    def _shrink(self) -> None:
        """Empty nodes, some at once; else one whose pods are moved. None for a while after a node was added."""
        if self._now - self._added_at < self._rules.delay_after_add:
            return
        before = [n for n in self._nodes if n.asked < self._now]  # the scheduler does not know the others
        old = [n for n in before if n.unneeded is not None and self._now - n.unneeded >= self._rules.unneeded]
        removed = 0
        for node in sorted(old, key=lambda n: (len(n.pods), n.used, n.name)):
            if self._size(node.pool) <= node.pool.minimum or (removed and (node.pods or removed >= _EMPTY_AT_ONCE)):
                continue
            plan = self._elsewhere(node)
            if plan is None:
                continue
            for pod in list(node.pods.values()):
                node.remove(pod)
                plan[pod.name].add(pod)
                self._place[pod.name] = plan[pod.name]
                self._moved += not pod.placeholder
            self._nodes.remove(node)
            self._hours[node.pool.name] += (self._now - node.asked) / 3600
            removed += 1
            if plan:
                break
        self._removed += removed

    # what is told

    def _note(self) -> None:
        ready = sum(node.ready <= self._now for node in self._nodes)
        pending = sum(not pod.placeholder for pod in self._pending)
        running = sum(not pod.placeholder for node in self._nodes for pod in node.pods.values())
        moment = Moment(self._now, ready, len(self._nodes) - ready, pending, running)
        self._most = max(self._most, len(self._nodes))
        before = self._moments[-1] if self._moments else None
        if before is None or before[1:] != moment[1:]:
            if before is not None and before.time == moment.time:
                self._moments.pop()
            self._moments.append(moment)


def _packed(pool: Pool, pods: Sequence[PodRun], most: int) -> tuple[int, list[PodRun]]:
    """How many new nodes, at most `most`, and which pods they take: first fit, the largest first."""
    free: list[Size] = []
    taken: list[PodRun] = []
    for pod in sorted(pods, key=lambda p: (-p.priority, -_share(p.size, pool.size), p.arrival, p.name)):
        if not pool.takes(pod):
            continue
        number = next((n for n, room in enumerate(free) if pod.size.within(room)), None)
        if number is None:
            if len(free) >= most:
                continue
            free.append(pool.size)
            number = len(free) - 1
        free[number] = free[number].minus(pod.size)
        taken.append(pod)
    return len(free), taken


def _share(size: Size, whole: Size) -> float:
    """The mean part of CPU and memory, as the expander least-waste weighs it."""
    return (size.cpu / max(1, whole.cpu) + size.memory / max(1, whole.memory)) / 2


def _placeholders(setting: Setting, rules: Rules, names: Set[str]) -> list[PodRun]:
    """They are called what none of the day's own pods is: by its name a pod is found again."""
    free = (name for n in itertools.count(1) if (name := f"placeholder-{n}") not in names)
    wanted = itertools.islice(free, setting.placeholders)
    priority = rules.placeholder_priority
    return [PodRun(n, 0.0, _FOREVER, setting.placeholder, priority=priority, placeholder=True) for n in wanted]
