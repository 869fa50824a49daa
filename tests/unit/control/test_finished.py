"""A Job that went by its own ttl is done until its manifest changes; what is not remembered is said."""

from __future__ import annotations

from pathlib import Path

from reconciler.control.finished import Finished
from reconciler.control.record import applied_text, now_applied, read_applied
from reconciler.engine.diff import MAYBE_DONE, diff
from reconciler.model.change import Action, Class
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Plan
from reconciler.model.resource import Component, Expected, Key, Known, Listing, Observed, Resource

WORKLOADS = Component.WORKLOADS
JOB = Resource("Job", "ns/make", digest="d1", type="batch/v1/Job", fleeting=True, within="uid-1")
WEB = Resource("Deployment", "ns/web", digest="w", type="apps/v1/Deployment")
NOTHING = Expected({})


def expected(*resources: Resource) -> Expected:
    return Expected({WORKLOADS: resources})


def observed(*live: Resource) -> Observed:
    kinds: dict[str, Listing] = {"Job": Known(), "Deployment": Known(tuple(Resource(r.kind, r.name) for r in live))}
    return Observed({WORKLOADS: kinds})


def why(want: Resource, applied: Expected, *live: Resource) -> tuple[Class, Action, str]:
    (found,) = diff(expected(want, *live), applied, observed(*live))
    return found.cls, found.action, found.why


def test_a_job_that_was_applied_and_is_gone_is_done() -> None:
    cls, action, word = why(JOB, expected(JOB, WEB), WEB)
    assert (cls, action) == (Class.IGNORED, Action.NONE)
    assert "until its manifest changes" in word


def test_another_manifest_or_another_namespace_is_another_job() -> None:
    for before in (
        Resource("Job", "ns/make", digest="d0", fleeting=True, within="uid-1"),
        Resource("Job", "ns/make", digest="d1", fleeting=True, within="uid-0"),
    ):
        assert why(JOB, expected(before, WEB), WEB)[1] is Action.CREATE


def test_any_other_job_that_is_gone_is_made_again() -> None:
    lasting = Resource("Job", "ns/make", digest="d1")
    assert why(lasting, expected(lasting))[:2] == (Class.DRIFT, Action.CREATE)


def test_where_nothing_is_remembered_of_what_is_there_that_is_said() -> None:
    assert why(JOB, NOTHING, WEB) == (Class.PENDING, Action.CREATE, MAYBE_DONE)
    assert why(JOB, expected(WEB), WEB)[2] == "is in git and not there yet", "it is new in git"
    assert why(JOB, NOTHING)[2] == "is in git and not there yet", "a first apply"


def test_what_was_done_here_counts_and_is_recorded_before_all_is_in_sync(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    memory = Finished(tmp_path, "demo")
    memory.note(Key("Job", "ns/make"), "d1", "uid-1")
    memory.note(Key("Job", "ns/other"), "x", "uid-1")
    known = Finished(tmp_path, "demo").added(NOTHING, expected(JOB, WEB))
    assert known.resources(WORKLOADS) == (JOB,)

    lost = diff(expected(WEB), NOTHING, observed())
    after = Plan("demo", "c", lost)
    outcome = Outcome("demo", "c", Status.DRIFTED, after, after, (), 1.0, "", "")
    recorded = memory.added(now_applied(expected(JOB, WEB), NOTHING, outcome), expected(JOB, WEB))
    (read,) = read_applied(applied_text(recorded).encode()).resources(WORKLOADS)
    assert (read.key, read.digest, read.within) == (JOB.key, "d1", "uid-1")


def test_a_newer_run_takes_the_place_of_the_recorded_one_and_nothing_moves(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    memory = Finished(tmp_path, "demo")
    memory.note(Key("Job", "ns/make"), "d1", "uid-1")
    old = Resource("Job", "ns/make", digest="d0", within="uid-1")
    assert memory.added(expected(old, WEB), expected(JOB, WEB)).resources(WORKLOADS) == (JOB, WEB)


def test_damage_is_nothing_remembered(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    for text in ("", "[]", '{"Job ns/make": 1}', "{"):
        (tmp_path / "demo" / "jobs.json").write_text(text)
        assert Finished(tmp_path, "demo").added(NOTHING, expected(JOB)) == NOTHING
