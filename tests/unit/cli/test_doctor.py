"""`reconciler doctor`: what it says of the forge, and what it makes of what can't be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_forge_boundaries import GITHUB, REPO, counted
from tests.forges import Answer, Server, serving
from tests.unit.cli.conftest import Run

NAMES = ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GH_TOKEN", "CI_PROJECT_ID", "CI_PROJECT_PATH", "GITLAB_TOKEN")


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving("github") as made:
        made.settings = dict(GITHUB)
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def lines(out: str, of: str) -> list[str]:
    """The marks of the lines about something."""
    return [line.split()[0] for line in out.splitlines() if f"  {of}" in line]


def test_what_is_closed_is_ok(run: Run, server: Server, tmp_path: Path) -> None:
    said = run("-C", tmp_path, "doctor")
    assert lines(said.out, "branch main: review") == ["ok"]
    assert lines(said.out, "environment plan") == ["ok"]


def test_what_is_open_is_bad_and_says_what_to_do(run: Run, server: Server, tmp_path: Path) -> None:
    server.settings[f"{REPO}/actions/runners"] = counted("runners", {"name": "[red]nuc\x1b[2J"})
    said = run("-C", tmp_path, "doctor")
    assert said.code == 1
    assert lines(said.out, "runners of the repository") == ["bad"]
    assert "[red]nuc?[2J, and read what lies there" in said.out, "a name is text, whatever it looks like"
    assert "hint: remove them" in said.out


def test_what_could_not_be_seen_is_neither(run: Run, server: Server, tmp_path: Path) -> None:
    server.settings[f"{REPO}/actions/secrets"] = Answer(403, {"message": "Resource not accessible"})
    said = run("-C", tmp_path, "doctor")
    assert (said.code, lines(said.out, "secrets of the repository")) == (1, ["?"])


def test_a_forge_that_does_not_answer_is_one_line(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.adapters.forge.http._ATTEMPTS", 1)
    server.next_answers = [Answer(503, {"message": "down"})]
    said = run("doctor")
    assert lines(said.out, "forge") == ["?"]
    assert "branch main" not in said.out


def test_without_a_token_it_says_so(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    said = run("doctor")
    assert lines(said.out, "forge") == ["?"]
    assert "there is no token" in said.out


def test_without_a_forge_nothing_is_claimed(run: Run) -> None:
    said = run("doctor")
    assert lines(said.out, "forge") == ["?"]
    assert "not looked at" in said.out


def test_the_form_of_lines_is_for_clusters(run: Run, tmp_path: Path) -> None:
    said = run("-C", tmp_path, "doctor", "--output", "json")
    assert (said.code, "--output is for --cluster" in said.err) == (2, True)


def test_a_folder_without_git_has_no_clusters_to_look_at(run: Run, tmp_path: Path) -> None:
    said = run("-C", tmp_path, "doctor", "--cluster", "demo")
    assert said.code not in (0, 1)
    assert said.out == ""
