"""`reconciler destroy` as people and scripts meet it: the name typed, exit codes, and orphans named in every report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from reconciler.app import App
from reconciler.cli import destroy
from reconciler.cli.context import Context
from reconciler.control.cycle import Cycle
from reconciler.control.destroy import wish_of
from reconciler.control.revision import Desired
from reconciler.control.survey import Survey
from reconciler.engine.destroy import Wish
from reconciler.errors import Transient
from reconciler.model.resource import Resource, Unknown
from tests.unit.control.world import World
from tests.unit.examples import FILE

from .conftest import Run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    made.settle()
    monkeypatch.setattr(App, "at", lambda *_: Desired("c0ffee", made.files, (made.desired,)))
    monkeypatch.setattr(App, "survey", lambda *_: Survey(lambda _: made, ("demo",)))

    def cycle(
        _: App, __: Desired, ___: object, survey: Survey | None = None, wish: Wish | None = None, take: bool = False
    ) -> Cycle:
        return replace(made.cycle(survey=survey), wish=wish or wish_of(made.desired.cluster))

    monkeypatch.setattr(App, "cycle", cycle)
    monkeypatch.setattr(Context, "fetch", lambda _: None)  # there is no clone, and the tests' own folder is none of it
    return made


def say(world: World, text: str) -> None:
    files = {path: content.decode() for path, content in world.files.items()}
    world.take({**files, FILE: f"{files[FILE]}  {text}\n"})


def test_nobody_at_a_terminal_and_no_name_is_no(run: Run, world: World) -> None:
    said = run("destroy", "demo")
    assert (said.code, said.out) == (2, "")
    assert "--yes demo" in said.err
    assert world.log == []


def test_another_name_is_no(run: Run, world: World) -> None:
    said = run("destroy", "demo", "--yes", "physics")
    assert (said.code, world.log) == (2, [])
    assert run("destroy", "dmeo", "--yes", "dmeo").code == 2


def test_it_can_only_be_said(run: Run, world: World) -> None:
    said = run("-q", "destroy", "demo", "--plan-only", "-o", "json")
    (shown,) = json.loads(said.out)
    assert (said.code, shown["status"], world.log) == (3, "drifted", [])
    assert [step["tool"] for step in shown["steps"]] == ["kubernetes", "kubernetes", "openstack", "openstack"]
    text = run("destroy", "demo", "--plan-only").out
    assert "delete machines with their disks: 3 to delete" in text


def test_with_its_name_it_goes_and_what_git_still_wants_is_said(run: Run, world: World) -> None:
    said = run("destroy", "demo", "--yes", "demo")
    assert said.code == 0, said.out + said.err
    assert world.resources == []
    assert "destroyed" in said.out
    assert "git still wants it: take desired/demo/ away" in said.out
    again = run("-q", "destroy", "demo", "--yes", "demo", "-o", "json")
    (shown,) = json.loads(again.out)
    assert (again.code, shown["status"], shown["steps"]) == (0, "destroyed", [])


@pytest.mark.parametrize(("typed", "code"), [("demo", 0), (" demo ", 0), ("yes", 2), ("", 2)])
def test_on_a_terminal_the_name_is_typed_after_what_is_lost_was_said(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr(destroy, "attended", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: typed)
    said = run("destroy", "demo")
    assert said.code == code
    assert "delete machines with their disks" in said.out
    assert (world.resources == []) is (code == 0)


@pytest.mark.parametrize("line", ["suspend: true", "mode: report"])
def test_what_nobody_may_change_is_a_no_with_its_line(run: Run, world: World, line: str) -> None:
    say(world, line)
    said = run("destroy", "demo", "--yes", "demo")
    assert (said.code, world.log) == (4, [])
    assert f"git says {line}" in said.err
    assert f"{FILE}:" in said.err


def test_a_failure_in_the_middle_is_one_and_the_next_run_goes_on(run: Run, world: World) -> None:
    world.fails["cloud prune router"] = Transient("Neutron is busy")
    assert run("destroy", "demo", "--yes", "demo").code == 1
    world.fails.clear()
    assert run("destroy", "demo", "--yes", "demo").code == 0
    assert world.resources == []


def test_a_cluster_that_does_not_answer_waits_for_a_word(run: Run, world: World) -> None:
    world.unseen = Unknown("no answer")
    said = run("destroy", "demo", "--yes", "demo")
    assert (said.code, world.log) == (4, [])
    assert "while this is unknown" in said.out
    run("destroy", "demo", "--yes", "demo", "--unreachable")
    assert world.resources == []


def test_git_says_so_and_every_verb_shows_it(run: Run, world: World) -> None:
    say(world, "lifecycle: destroy")
    said = run("plan", "demo")
    assert said.code == 4
    assert "would destroy the cluster for good" in " ".join(said.out.split())
    assert run("apply", "demo").code == 4
    assert world.log == []
    world.approve(json.loads(run("-q", "plan", "demo", "-o", "json").out)[0]["digest"], "destroy")
    assert run("apply", "demo").code == 0
    assert world.resources == []
    assert run("drift", "demo").code == 0


def test_a_tag_that_is_no_clusters_name_is_in_no_command(run: Run, world: World) -> None:
    world.resources.append(Resource("server", "x", {}, "g", "x`; rm -rf ~ #"))
    (shown,) = json.loads(run("-q", "plan", "demo", "-o", "json").out)
    assert shown["orphans"][0].endswith("`reconciler destroy NAME` ends it")


def test_orphans_are_named_in_every_report_and_change_no_exit_code(run: Run, world: World) -> None:
    world.resources.append(Resource("server", "ghost-cp-1", {}, "g", "ghost"))
    for verb in ("plan", "drift", "apply"):
        said = run("-q", verb, "demo", "-o", "json")
        (shown,) = json.loads(said.out)
        assert (said.code, shown["status"]) == (0, "in sync"), verb
        (orphan,) = shown["orphans"]
        assert "1 server with the tag of 'ghost', which is in no folder: it is left alone" in orphan
        assert "bring its folder back" in orphan
        assert orphan.endswith("`reconciler destroy ghost` ends it")
        for form in ("text", "markdown", "html"):
            assert "which is in no folder" in " ".join(run("-q", "drift", "demo", "-o", form).out.split())
    every = run("-q", "plan", "-o", "json")
    assert (every.code, [v["cluster"] for v in json.loads(every.out)]) == (3, ["demo", "ghost"])
    assert [r.name for r in world.resources if r.owner == "ghost"] == ["ghost-cp-1"]
