"""The workflows, read by the linter that knows GitHub's rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler import process
from reconciler.toolchain import Toolbox
from tests.unit.starter.test_starter import zizmor

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))


@pytest.mark.live
def test_workflows_are_valid(toolbox: Toolbox) -> None:
    assert WORKFLOWS
    actionlint = toolbox.ensure("actionlint")["actionlint"].path
    said = process.run([actionlint, "-no-color", *WORKFLOWS], cwd=ROOT, timeout=60, check=False)
    assert (said.exit_code, said.stdout) == (0, "")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    uses = re.findall(r"uses: *(\S+)", workflow.read_text())
    assert uses
    theirs = [action for action in uses if not action.startswith("./")]
    assert [action for action in theirs if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_nothing_is_known_to_be_attackable() -> None:
    said = zizmor(ROOT / ".github")
    assert said.exit_code == 0, said.stdout


def test_what_is_attackable_is_found(tmp_path: Path) -> None:
    """So that the check above can fail."""
    job = "{runs-on: ubuntu-latest, steps: [{run: 'echo ${{ github.event.issue.title }}'}]}"
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/x.yaml").write_text(f"on: issues\njobs:\n  x: {job}\n")
    said = zizmor(tmp_path / ".github")
    assert said.exit_code != 0
    assert "template-injection" in said.stdout


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    script = (ROOT / ".ci/run").read_text().splitlines()
    assert script == ["#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]
