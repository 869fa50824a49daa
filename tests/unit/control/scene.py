"""A fleet whose cycles do what a test says, on a repository of dictionaries."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reconciler import interrupt
from reconciler.control.board import Entry
from reconciler.control.fleet import Fleet
from reconciler.control.revision import Reader
from reconciler.control.sight import Sight
from reconciler.control.survey import Survey
from reconciler.control.ways import Terms, Ways
from reconciler.control.workers import Share, Workers
from reconciler.errors import Gone, Transient
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Plan
from reconciler.model.resource import Expected, Observed
from reconciler.ports import Api, Snapshot, Touched
from reconciler.progress import QuietProgress
from reconciler.spec import desired_state
from reconciler.spec.outline import Outline
from reconciler.spec.wiring import Output, Outputs
from tests.unit.examples import CLUSTER


def cluster_file(name: str, extra: str = "") -> bytes:
    return (CLUSTER.replace("name: demo", f"name: {name}") + extra).encode()


@dataclass
class Repository:
    """Commits are dictionaries of files; a fetch brings the newest."""

    remote: list[dict[str, bytes]]
    local: int = 0
    down: bool = False
    fetched: int = 0
    renamed: bool = False

    def fetch(self) -> None:
        self.fetched += 1
        if self.down:
            raise Transient("the git remote 'origin' can't be reached")
        self.local = len(self.remote) - 1

    def resolve(self, ref: str) -> str:
        if self.renamed and self.fetched:
            raise Gone("the remote 'origin' has no branch 'main' any more")
        return f"{self.local:040x}"

    def snapshot(self, commit: str, roots: tuple[str, ...], only: Collection[str] | None = None) -> Snapshot:
        files = self.remote[int(commit, 16)].items()
        return Snapshot({p: t for p, t in files if only is None or "/".join(p.split("/")[:2]) in only})

    def changed(self, before: str, after: str) -> frozenset[str]:
        one, other = self.remote[int(before, 16)], self.remote[int(after, 16)]
        return frozenset(p for p in {*one, *other} if one.get(p) != other.get(p))

    def push(self, files: Mapping[str, bytes]) -> None:
        self.remote.append({**self.remote[-1], **files})


@dataclass
class Watched:
    """A watcher that remembers whom it was asked to follow."""

    followed: dict[str, Sequence[Api]] = field(default_factory=dict)

    def follow(self, cluster: str, apis: Sequence[Api]) -> None:
        self.followed[cluster] = apis

    def streams(self) -> int:
        return 0

    def close(self) -> None: ...


@dataclass
class Scene:
    """A fleet with cycles that do what `does` says, by cluster: return, raise, or wait."""

    repository: Repository
    terms: Terms
    does: dict[str, Callable[[], Status]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    feed: list[Touched] = field(default_factory=list)
    surveys: list[float] = field(default_factory=list)
    expected: list[bool] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    referred: dict[str, frozenset[Output]] = field(default_factory=dict)
    watcher: Watched = field(default_factory=Watched)
    share: Share | None = None
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        ways = Ways(
            repository=self.repository,
            reader=Reader(_opened, _loaded),
            cycle=self._cycle,
            survey=lambda fleet: Survey(_no_cloud, fleet),
            feed=lambda _: self,
            apis=lambda _cluster, _sight: (),
            watcher=self.watcher,
            progress=lambda _: QuietProgress(),
        )
        self.fleet = Fleet(ways, self.terms, self._told, self.share or Workers(self.terms.workers).share(""))

    def touched(self, since: datetime.datetime) -> tuple[Touched, ...]:
        return tuple(self.feed)

    def _told(self, event: str, **fields: object) -> None:
        self.events.append({"event": event, **fields})

    def _cycle(self, state: Any, cluster: Any, survey: Survey, **named: Any) -> Any:
        scene = self

        class Cycle:
            def reconcile(self) -> tuple[Outcome, Sight]:
                scene.begun.append(cluster.name)
                scene.referred[cluster.name] = state.referred
                scene.expected.append(named["expected"])
                scene.surveys.append(survey.max_age)
                status = scene.does.get(cluster.name, lambda: Status.IN_SYNC)()
                plan = Plan(cluster.name, state.commit)
                known = {Output(cluster.name, kind, "", at): v for (kind, at), v in scene.known(cluster.name).items()}
                sight = Sight(Expected({}), Observed({}), outputs=Outputs(known))
                return Outcome(cluster.name, state.commit, status, plan, plan), sight

        return Cycle()

    @contextmanager
    def running(self) -> Iterator[None]:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                self.fleet.run()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            interrupt._asked.set()
            self.fleet.stop()
            thread.join(20)
            interrupt.forget()
        assert not thread.is_alive()
        if failed:
            raise failed[0]

    def known(self, name: str) -> dict[tuple[str, str], str]:
        """What a cluster's cycles find for others to know: values by output, such as api.endpoint."""
        split = ((path.partition("."), value) for path, value in self.outputs.get(name, {}).items())
        return {(kind, at): value for (kind, _, at), value in split}

    def entry(self, name: str) -> Entry:
        return next(e for e in self.fleet.board.entries() if e.cluster == name)

    def cycles(self, name: str) -> list[dict[str, object]]:
        return [e for e in self.events if e["event"] == "cycle" and e["cluster"] == name]


def _opened(path: str, text: bytes) -> bytes:
    return text


def _loaded(
    files: Mapping[str, bytes], raw: Mapping[str, bytes], names: Collection[str] | None, others: Sequence[Outline]
) -> desired_state.Loaded:
    return desired_state.each(desired_state.Sources(files, raw), names, others)


def _no_cloud(name: str) -> Any:
    raise AssertionError(f"nobody asks {name}")


def scene(*names: str, share: Share | None = None, **terms: Any) -> Scene:
    files = {f"desired/{n}/cluster.yaml": cluster_file(n) for n in names} | {"manifests/x.yaml": b""}
    named = {"ref": "origin/main", "interval": 600, "poll": 600, "cloud_poll": 600, **terms}
    return Scene(Repository([files]), Terms(**named), share=share)


def until(condition: Callable[[], object], what: str = "it") -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
