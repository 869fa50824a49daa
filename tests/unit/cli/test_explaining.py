"""What a command says of itself and of what it does not count: versions, shells, the working tree, hands off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import git
import pytest
import typer

from reconciler import __version__
from reconciler.cli import verbs
from reconciler.cli.completion import clusters_of
from reconciler.cli.verbs import changes
from reconciler.control import hands_off
from reconciler.model.outcome import Status
from reconciler.model.plan import Plan, Refusal, Step, Tool
from reconciler.model.resource import Component
from reconciler.report.view import view
from tests.unit.cli.conftest import Run
from tests.unit.examples import CLUSTER, FILE, desired

STEP = Step(Component.WORKLOADS, Tool.KUBERNETES, "apply", "1 object to update")


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["version"]])
def test_the_version(run: Run, words: list[str]) -> None:
    said = run(*words)
    assert (said.code, said.out) == (0, f"{__version__}\n")


def test_a_shell_is_offered_the_clusters_of_the_clone(tmp_path: Path) -> None:
    for name in ("demo", "dev", "physics"):
        (tmp_path / "desired" / name).mkdir(parents=True)
        (tmp_path / "desired" / name / "cluster.yaml").touch()
    (tmp_path / "desired" / "draft").mkdir()
    ctx = typer.Context(typer.main.get_command(verbs.app))
    ctx.params["repo"] = tmp_path
    assert clusters_of(ctx, "d") == ["demo", "dev"]
    ctx.params["clusters"] = ["demo"]
    assert clusters_of(ctx, "d") == ["dev"], "not what stands there already"
    ctx.params["repo"] = tmp_path / "none"
    assert clusters_of(ctx, "") == []


def of_clusters(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    """Every verb's argument or option that is a cluster's name, or several."""
    for name, each in getattr(command, "commands", {}).items():
        yield from of_clusters(each, (*words, name))
    for argument in getattr(command, "params", ()):
        taken = argument.param_type_name == "argument" or "--cluster" in argument.opts
        if taken and argument.name in ("cluster", "clusters"):
            yield words, argument


def test_every_verb_that_takes_a_cluster_offers_its_name(tmp_path: Path) -> None:
    (tmp_path / "desired" / "demo").mkdir(parents=True)
    (tmp_path / "desired" / "demo" / "cluster.yaml").touch()
    command = typer.main.get_command(verbs.app)
    offered = {}
    for words, argument in of_clusters(command):
        ctx: Any = typer.Context(command)
        ctx.params["repo"] = tmp_path
        offered[words] = [item.value for item in argument.shell_complete(ctx, "d")]
    assert {("plan",), ("doctor",), ("destroy",), ("unlock",), ("autoscaler", "simulate")} <= set(offered)
    assert [words for words, names in offered.items() if names != ["demo"]] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("suspend: true", f"{FILE}:7 suspends it; `reconciler resume demo` lets it be changed again"),
        ("mode: report", f"{FILE}:7 says mode: report"),
        ("mode: apply", ""),
    ],
)
def test_who_keeps_hands_off_says_which_line_wants_it(line: str, said: str) -> None:
    assert CLUSTER.splitlines()[5] == "  cloud: sandbox"
    (cluster,) = desired(("  cloud: sandbox\n", f"  cloud: sandbox\n  {line}\n"))
    assert hands_off.reason(cluster) == (f"nothing is changed: {said}" if said else "")


def test_only_what_would_be_done_is_asked_about() -> None:
    step = view(Plan("demo", "c0ffee", steps=(STEP,)), status=Status.DRIFTED)
    nothing = view(Plan("demo", "c0ffee"), status=Status.IN_SYNC)
    stopped = Plan("demo", "c0ffee", steps=(STEP,), refusals=(Refusal("freeze", "not now", "wait"),))
    suspended = view(Plan("demo", "c0ffee", steps=(STEP,)), status=Status.SUSPENDED)
    assert [changes(v) for v in (step, nothing, view(stopped, status=Status.BLOCKED), suspended)] == [
        True, False, False, False,
    ]  # fmt: skip


def test_what_is_not_committed_does_not_count_and_is_mentioned(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = git.Repo.init(tmp_path / "clone", initial_branch="main")
    file = tmp_path / "clone" / FILE
    file.parent.mkdir(parents=True)
    file.write_text(CLUSTER)
    clone.git.add(".")
    names = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    clone.git.commit("-m", "first", env=dict.fromkeys(names, "a@x.org"))
    monkeypatch.setattr(verbs, "look", lambda *_: 0)
    monkeypatch.setattr(verbs, "watch_plan", lambda *_: None)
    argv = ("-C", str(clone.working_tree_dir), "plan")
    assert run(*argv).err == ""
    file.write_text(CLUSTER + "# more\n")
    (file.parent / "new.yaml").touch()
    (tmp_path / "clone" / "README.md").touch()
    said = run(*argv)
    assert said.err.startswith(f"note: 2 files not committed, so not in this: {FILE}, desired/demo/new.yaml")
    others = (["plan", "--watch"], ["diff", "dmeo"], ["destroy", "dmeo", "--yes", "dmeo"])
    assert all("2 files not committed" in run("-C", clone.working_tree_dir, *words).err for words in others)
    assert run(*argv, "--ref", "main").err == "", "who names a commit means it"
