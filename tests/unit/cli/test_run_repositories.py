"""`reconciler` with several repositories in the settings: which one is meant, and one that fails beside others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from reconciler import repositories
from reconciler.app import App
from reconciler.cli import daemon
from reconciler.cli.context import Context
from reconciler.serve.logs import Log
from tests.unit.cli.conftest import Run
from tests.unit.test_app import committed


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Physics and chemistry with a cluster each, and one without a clone."""
    emptied: list[object] = []
    monkeypatch.setattr(repositories, "forget_the_environment", emptied.append)  # it is the tests' own, too
    monkeypatch.chdir(tmp_path)
    for name in ("physics", "chemistry", "broken"):
        (tmp_path / f"{name}-clouds.yaml").write_text("clouds: {}\n")
        own = {"clouds": str(tmp_path / f"{name}-clouds.yaml"), "sshKey": str(tmp_path / f"{name}-key")}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(own))
        if name != "broken":
            committed(tmp_path / name, "v7.0.0")
    entries = [
        {"name": name, "path": str(tmp_path / name), "settings": str(tmp_path / f"{name}.yaml")}
        for name in ("broken", "physics", "chemistry")
    ]
    file = tmp_path / "daemon.yaml"
    document = {"state": str(tmp_path / "state"), "cache": str(tmp_path / "cache"), "repositories": entries}
    file.write_text(yaml.safe_dump(document))
    return file


def test_a_verb_is_about_one_of_them(run: Run, config: Path) -> None:
    said = run("--config", config, "validate")
    assert said.code == 2
    assert "say which one with --repo: broken, physics, chemistry" in said.err
    assert "valid: 1 cluster (demo)" in run("--config", config, "--repo", "physics", "validate").out
    assert run("--config", config, "--repo", config.parent / "chemistry", "validate").code == 0
    assert run("--config", config, "--repo", "biology", "validate").code == 2
    assert "is not a git repository" in run("--config", config, "--repo", "broken", "plan").err


def test_its_own_settings_are_told_where_they_are_wrong(run: Run, config: Path) -> None:
    file = config.parent / "physics.yaml"
    file.write_text(file.read_text() + "http: {port: 1}\n")
    said = run("--config", config, "--repo", "physics", "validate")
    assert (said.code, f"{file}:3" in said.err) == (2, True), said.err


def test_run_once_goes_through_all_of_them(run: Run, config: Path) -> None:
    said = run("--config", config, "run", "--once")
    assert said.code == 2
    words = ("broken:", "is not a git repository", "physics:", "'sandbox'", "chemistry:", "'sandbox'")
    places = [said.err.index(words[0])]
    for word in words[1:]:
        places.append(said.err.index(word, places[-1] + 1))
    assert said.out.split() == ["broken:", "physics:", "chemistry:"]
    state = [folder.name.rpartition("-")[0] for folder in (config.parent / "state").iterdir() if folder.is_dir()]
    assert sorted(state) == ["chemistry", "physics"]


def test_what_is_said_of_a_repository_says_of_which(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone that was mended, a branch that was rewritten: nobody could tell whose."""
    monkeypatch.setattr(App, "begun", lambda app, _: app.repository._log("the clone was damaged"))
    served = daemon.served(Context(Path(), config, quiet=True), (), "HEAD", None, Log())
    next(each for each in served if each.name == "physics").begin()
    assert 'progress repository=physics text="the clone was damaged"' in capsys.readouterr().err


def test_run_once_shares_no_credential_between_two(run: Run, config: Path) -> None:
    file = config.parent / "chemistry.yaml"
    file.write_text(file.read_text().replace("chemistry-clouds", "physics-clouds"))
    said = run("--config", config, "run", "--once")
    assert f"clouds of chemistry is {config.parent}/physics-clouds.yaml, where clouds of physics is" in said.err


def test_an_unknown_name_is_refused_with_those_that_there_are(run: Run, config: Path) -> None:
    for name in ("physics/nope", "biology/demo"):
        said = run("--config", config, "run", name)
        assert said.code == 2
        assert "there are: physics/demo, chemistry/demo" in said.err
    assert "PATH" in os.environ
