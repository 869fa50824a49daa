"""`reconciler environment`: ten lines that are right the first time, and a list of what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.control.world import FILES

ROOT = Path(__file__).parents[3]
NEW = "desired/demo/environments/ada-stats.yaml"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    templates = {str(p.relative_to(ROOT)): p.read_text() for p in (ROOT / "manifests/environments").rglob("*.yaml")}
    for path, text in {**FILES, **templates}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_what_it_writes_is_valid_and_says_what_to_do_next(run: Run, clone: Path) -> None:
    said = run("-C", clone, "environment", "new", "stats", "--type", "rstudio", "--owner", "ada")
    assert said.code == 0, said.err
    assert f"git add {NEW}" in said.out
    assert (clone / NEW).read_text().startswith("# yaml-language-server: $schema=")
    assert run("-C", clone, "validate").code == 0
    listed = run("-C", clone, "environment", "list")
    assert all(word in listed.out for word in ("ada", "stats", "rstudio", "wanted", "Service stats.env-ada"))


def test_one_that_is_there_is_not_written_over(run: Run, clone: Path) -> None:
    for code in (0, 2):
        said = run("-C", clone, "environment", "new", "stats", "--type", "desktop", "--owner", "ada")
        assert said.code == code
    assert "there is already an environment 'ada/stats'" in said.err


@pytest.mark.parametrize(
    ("name", "owner", "more"),
    [
        ("Stats", "ada", ()),
        ("stats", "../..", ()),
        ("stats", "ada\nkind: Cluster", ()),
        ("[", "ada", ()),
        ("stats", "ada", ("--expires", "soon")),
    ],
)
def test_what_makes_no_environment_is_refused_and_nothing_is_written(
    run: Run, clone: Path, name: str, owner: str, more: tuple[str, ...]
) -> None:
    before = sorted(clone.rglob("*"))
    said = run("-C", clone, "environment", "new", name, "--type", "jupyter", "--owner", owner, *more)
    assert (said.code, "error:" in said.err, "Traceback" in said.err) == (2, True, False)
    assert sorted(clone.rglob("*")) == before


def test_an_expired_one_is_shown_as_such(run: Run, clone: Path) -> None:
    argv = ("environment", "new", "stats", "--type", "rstudio", "--owner", "ada", "--expires", "2020-01-01")
    assert run("-C", clone, *argv).code == 0
    (row,) = json.loads(run("-C", clone, "environment", "list", "-o", "json").out)
    assert (row["state"], row["expires"]) == ("stopped: expired", "2020-01-01")
    assert "# environment ada/stats: rstudio, expired 2020-01-01" in run("-C", clone, "show", "demo").out
    assert json.loads(run("-C", clone, "show", "demo", "-o", "json").out)["environments"][0]["name"] == "stats"
    assert "note: " in run("-C", clone, "validate").out
