"""A command line that explains itself: what does not count, what is not applied, what it would be dangerous to adopt."""

from __future__ import annotations

import sys
from pathlib import Path

import git
import pytest
import typer
from typer.testing import CliRunner

from reconciler import __version__
from reconciler.adapters.git import uncommitted
from reconciler.cli import complete, notes
from reconciler.cli.adopt import _question
from reconciler.cli.verbs import app
from reconciler.console import Console
from reconciler.control.adopt import opens
from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.outcome import Status
from reconciler.model.plan import Plan, Refusal, Step, Tool
from reconciler.model.resource import Component, Key
from reconciler.report.view import view
from reconciler.spec.adopt import Adoption


def difference(cls: Class = Class.PENDING, severity: Severity = Severity.LOW, **more: object) -> Difference:
    key, infra = Key("security_group_rule", "open"), Component.INFRASTRUCTURE
    return Difference(infra, key, "", None, None, None, cls, Action.UPDATE, severity, "why", **more)  # type: ignore[arg-type]


def step() -> Step:
    return Step(Component.INFRASTRUCTURE, Tool.TERRAFORM, "apply", "1 to create", (), (difference(),))


def test_the_version_as_an_option() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    ("plan", "asks"),
    [
        (Plan("demo", "c0ffee"), False),
        (Plan("demo", "c0ffee", (difference(),), (step(),)), True),
        (Plan("demo", "c0ffee", (difference(),), (step(),), (Refusal("rebuild", "no", "way"),)), False),
    ],
)
def test_only_a_plan_that_does_something_is_asked_about(plan: Plan, asks: bool) -> None:
    assert notes.applies([view(plan, status=Status.DRIFTED)]) is asks


def test_what_is_not_committed_is_named(tmp_path: Path) -> None:
    assert uncommitted(tmp_path, ("desired",)) == ()
    repo = git.Repo.init(tmp_path)
    file = tmp_path / "desired" / "demo" / "cluster.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("a: 1\n")
    assert uncommitted(tmp_path, ("desired",)) == ("desired/demo/cluster.yaml",)
    repo.git.add("--all")
    repo.git.execute(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"])
    assert uncommitted(tmp_path, ("desired",)) == ()
    file.write_text("a: 2\n")
    (tmp_path / "desired" / "new.yaml").write_text("a: 1\n")
    (tmp_path / "notes.txt").write_text("not part of it\n")
    assert uncommitted(tmp_path, ("desired",)) == ("desired/demo/cluster.yaml", "desired/new.yaml")


def test_the_names_of_clusters_are_offered(tmp_path: Path) -> None:
    for name in ("demo", "dev", "prod"):
        (tmp_path / "desired" / name).mkdir(parents=True)
        (tmp_path / "desired" / name / "cluster.yaml").touch()
    root = typer.Context(typer.main.get_command(app))
    root.params = {"repo": tmp_path}
    verb = typer.Context(typer.main.get_command(app), parent=root)
    assert complete.clusters(verb, "d") == ["demo", "dev"]
    verb.params = {"clusters": ("demo",)}
    assert complete.clusters(verb, "") == ["dev", "prod"]
    root.params = {"repo": tmp_path / "nowhere"}
    assert complete.clusters(verb, "") == []


@pytest.mark.parametrize(("severity", "warns"), [(Severity.CRITICAL, True), (Severity.LOW, False)])
def test_what_lets_anybody_in_is_adopted_with_a_warning_only(severity: Severity, warns: bool) -> None:
    one = Adoption((difference(Class.UNMANAGED, severity),), "desired/demo/cluster.yaml", (), "rule tcp/22")
    assert opens(one) is warns
    assert ("lets in anybody on the internet" in _question(one)) is warns


def test_no_color_means_no_codes_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert Console(sys.stdout, force_terminal=True).color_system is None
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert Console(sys.stdout, force_terminal=True).color_system
