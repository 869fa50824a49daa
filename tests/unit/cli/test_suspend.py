"""`reconciler suspend` and `resume` in a person's clone: what is said to be done is done for everybody."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from tests.unit.cli.conftest import Run
from tests.unit.examples import CLUSTER, FILE


@pytest.fixture
def clone(tmp_path: Path) -> git.Repo:
    made = git.Repo.init(tmp_path / "clone", initial_branch="main")
    with made.config_writer() as config:
        config.set_value("user", "name", "Ada")
        config.set_value("user", "email", "ada@example.org")
    place = tmp_path / "clone" / FILE
    place.parent.mkdir(parents=True)
    place.write_text(CLUSTER)
    made.git.add(".")
    made.git.commit("-m", "first")
    return made


@pytest.fixture
def remote(clone: git.Repo, tmp_path: Path) -> git.Repo:
    made = git.Repo.init(tmp_path / "remote.git", bare=True, initial_branch="main")
    clone.create_remote("origin", str(made.git_dir))
    clone.git.push("--quiet", "origin", "main")
    return made


def refuse(remote: git.Repo, ref: str) -> Path:
    hook = Path(str(remote.git_dir)) / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\n[ "$1" != {ref} ]\n')
    hook.chmod(0o755)
    return hook


def test_what_was_committed_and_not_pushed_is_pushed_when_it_is_said_again(
    run: Run, clone: git.Repo, remote: git.Repo
) -> None:
    hook = refuse(remote, "refs/heads/main")
    assert run("-C", clone.working_tree_dir, "suspend", "demo").code == 1
    assert "suspend" not in remote.git.show(f"main:{FILE}")
    hook.unlink()
    again = run("-C", clone.working_tree_dir, "suspend", "demo")
    assert (again.code, "pushed now to main" in again.out) == (0, True)
    assert "suspend: true" in remote.git.show(f"main:{FILE}")
    third = run("-C", clone.working_tree_dir, "suspend", "demo")
    assert third.out == "demo is suspended already: nothing to commit\n"


def test_where_the_branch_is_protected_the_hint_of_the_refusal_leads_on(
    run: Run, clone: git.Repo, remote: git.Repo
) -> None:
    refuse(remote, "refs/heads/main")
    refused = run("-C", clone.working_tree_dir, "suspend", "demo")
    assert "--branch NAME" in refused.err
    again = run("-C", clone.working_tree_dir, "suspend", "demo", "--branch", "stop")
    assert (again.code, "pushed now to stop" in again.out) == (0, True)
    assert "suspend: true" in remote.git.show(f"stop:{FILE}")


def test_a_repository_without_a_remote_is_not_pushed(run: Run, clone: git.Repo) -> None:
    said = run("-C", clone.working_tree_dir, "suspend", "demo")
    assert (said.code, "not pushed" in said.out) == (0, True)
    assert "suspend: true" in (Path(str(clone.working_tree_dir)) / FILE).read_text()
