"""No pushed branch's workflow reaches a credential: in what `init` writes, and in this project's own workflows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from reconciler.starter import answered, files
from tests.unit.examples import KEY
from tests.unit.starter.attack import on_github, on_gitlab

ROOT = Path(__file__).resolve().parents[3]
MADE = {path: text.decode() for path, text in files(answered("physics", "openstack", KEY)).items()}
OURS = {f"our {file.name}": file.read_text() for file in sorted((ROOT / ".github/workflows").glob("*.y*ml"))}
WORKFLOWS = {path: text for path, text in MADE.items() if path.startswith(".github/workflows/")} | OURS
PLAN = MADE[".github/workflows/plan.yaml"]
GITLAB = MADE[".gitlab-ci.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_pushed_branch_gets_nothing_on_github(workflow: str) -> None:
    assert on_github(WORKFLOWS[workflow]) == []


def test_nor_on_gitlab() -> None:
    assert on_gitlab(GITLAB) == []


# What version 0.1.0 wrote: conditions of the workflow itself before a machine with the credentials.
OLD = """
on: {push: {branches: [main]}, schedule: [{cron: "7,37 * * * *"}], workflow_dispatch: }
permissions: {contents: read}
jobs:
  reconcile:
    if: vars.RECONCILER == 'on' && github.ref == 'refs/heads/main'
    runs-on: [self-hosted, reconciler]
    environment: reconcile
    permissions: {contents: write}
    steps: [{uses: ./.github/actions/reconciler, with: {verb: run}}]
"""
OLD_PLAN = """
on: pull_request
permissions: {contents: read}
jobs:
  plan:
    if: github.event.pull_request.head.repo.full_name == github.repository
    runs-on: [self-hosted, reconciler-plan]
    environment: plan
    permissions: {contents: read, pull-requests: write}
    steps: [{uses: ./.github/actions/reconciler, with: {verb: plan}}]
"""


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        (OLD, "reconcile: runs on"),
        (OLD, "main's alone"),
        (OLD_PLAN, "plan: runs on"),
        (OLD_PLAN, "gives a credential to what a pull request brings"),
        (OLD_PLAN, "a token that writes pull-requests"),
        (PLAN.replace("environment: plan #", "x: #"), "a secret of the repository"),
        (PLAN.replace("runs-on: ubuntu-latest", "runs-on: [self-hosted, linux]"), "runs on"),
        (PLAN.replace("runs-on: ubuntu-latest", "runs-on: {group: ours}"), "runs on"),
        (PLAN.replace("runs-on: ubuntu-latest", "runs-on: ${{ vars.WHERE }}"), "runs on"),
        (PLAN.replace("ref: main", "ref: ${{ github.event.workflow_run.head_sha }}"), "somebody else's"),
        (PLAN.replace("          environment: plan\n", ""), "main's alone"),
        (PLAN.replace("persist-credentials: false", "persist-credentials: true"), "in the clone"),
        (PLAN.replace("permissions: {}\n", "env: {X: '${{ secrets.X }}'}\npermissions: {}\n"), "outside of a job"),
        (PLAN.replace("- run: python", "- run: echo ${{ github.event.workflow_run.head_branch }}; python"), "stranger"),
        (re.sub("(?s)workflow_run:.*?completed\\]", "pull_request:", PLAN), "what a pull request brings"),
    ],
)
def test_what_is_open_is_found(workflow: str, said: str) -> None:
    assert [line for line in on_github(workflow) if said in line], on_github(workflow)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n", "\n", "not main's"),
        ('$RECONCILER_JOB == "plan" && $CI_COMMIT_BRANCH', '$RECONCILER_JOB == "plan" || $CI_COMMIT_BRANCH', "several"),
        ("  image: python:3.11\n", "  image: python:3.11\n  tags: [reconciler]\n", "validate: takes tags"),
        ("    - reconciler validate", "    - curl -H $A_TOKEN x; reconciler validate", "validate: takes $A_TOKEN"),
        ("    - reconciler ci guard main # on a branch that is not protected nothing is done\n", "", "is protected"),
        ("stages:", "include: {project: other/one, file: ci.yml}\nstages:", "somebody else"),
    ],
)  # fmt: skip
def test_so_it_is_on_gitlab(was: str, now: str, said: str) -> None:
    changed = GITLAB.replace(was, now)
    assert changed != GITLAB
    assert [line for line in on_gitlab(changed) if said in line], on_gitlab(changed)


def test_the_action_refuses_before_it_unpacks_anything() -> None:
    steps = yaml.safe_load(MADE[".github/actions/reconciler/action.yml"])["runs"]["steps"]
    first, second = steps[0], steps[1]
    assert (first["if"], first["run"]) == ("inputs.environment != ''", 'reconciler ci guard "$ENVIRONMENT"')
    assert "inputs.credentials" in second["if"]
    with_credentials = [step for step in steps if "inputs.credentials" in str(step)]
    assert with_credentials == [second], "they go nowhere else"
    assert steps[-2]["if"].startswith("always()"), "and are gone at the end"
