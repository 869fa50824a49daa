"""The workflows, read by the linter that knows GitHub's rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler import process
from reconciler.toolchain import Toolbox

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


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    script = (ROOT / ".ci/run").read_text().splitlines()
    assert script == ["#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]
