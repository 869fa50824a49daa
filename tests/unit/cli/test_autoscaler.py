"""`reconciler autoscaler simulate`: a table, data, curves, and mistakes that say what to do about them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.examples import CLUSTER, FILE

SAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "day.csv"
GROUPS = "  nodeGroups:\n    - {name: worker, count: 1, flavor: m1.large, min: 0, max: 4}\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / FILE).parent.mkdir(parents=True)
    head, _, rest = CLUSTER.partition("  nodeGroups:")
    lines = rest.splitlines(keepends=True)
    after = next((n for n, line in enumerate(lines) if n and not line.startswith("    ")), len(lines))
    (tmp_path / FILE).write_text(head + GROUPS + "".join(lines[after:]))
    return tmp_path


def day(folder: Path, *rows: str) -> Path:
    file = folder / "day.csv"
    file.write_text("arrival,duration,cpu,memory\n" + "\n".join(rows) + "\n")
    return file


def test_settings_are_compared_in_one_call(run: Run, clone: Path) -> None:
    file = day(clone, "1h,1h,2,4Gi", "1h,1h,2,4Gi", "2h,30m,64,4Gi")
    asked = ("-C", clone, "-q", "autoscaler", "simulate", "demo", "--pods", file, "--flavor", "m1.large=4:16Gi")
    said = run(*asked, "--placeholders", "0,1", "--max", "2,4", "--start", "5m", "--plot", clone / "a.svg")
    assert said.code == 0, said.err
    for title in ("max 2, placeholders 0", "max 2, placeholders 1", "max 4, placeholders 0", "max 4, placeholders 1"):
        assert title in said.out
    assert "1 pods fit no node group: line-4" in said.out
    drawn = (clone / "a.svg").read_text()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert drawn.count("<path") >= 8

    made = json.loads(run(*asked, "--placeholders", "0,1", "--start", "5m", "-o", "json").out)
    without, with_one = made
    assert (without["pods"], without["neverRan"]) == (2, ["line-4"])
    assert without["waited"]["max"] == 300
    assert with_one["waited"]["max"] < without["waited"]["max"] or with_one["nodeHours"] != without["nodeHours"]
    assert max(m["nodes"] + m["starting"] for m in without["moments"]) == without["mostNodes"]


def test_the_sample_day_and_a_page(run: Run, clone: Path) -> None:
    asked = ("-C", clone, "-q", "autoscaler", "simulate", "demo", "--pods", SAMPLE, "--flavor", "m1.large=8:32Gi")
    said = run(*asked, "--plot", clone / "a.html")
    assert said.code == 0, said.err
    assert (clone / "a.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "the size of m1.large is not known"),
        (("--flavor", "m1.large"), "names no size"),
        (("--flavor", "m1.large=big"), "is no size"),
        (("--flavor", "m1.large=1:1Gi", "--reserved", "2:1Gi"), "nothing is left of a node"),
        (("--flavor", "m1.large=4:16Gi", "--placeholders", "some"), "no list of numbers"),
        (("--flavor", "m1.large=4:16Gi", "--min", "5"), "min 5 is more than max 4"),
        (("--flavor", "m1.large=4:16Gi", "--start", "soon"), "is no time"),
        (("--flavor", "m1.large=4:16Gi", "--max", ",".join(map(str, range(4, 40)))), "settings"),
        (("--flavor", "m1.large=4:16Gi", "--plot", "/nowhere/a.svg"), "cannot write"),
    ],
)
def test_a_mistake_says_what_to_do(run: Run, clone: Path, options: tuple[str, ...], said: str) -> None:
    answer = run("-C", clone, "-q", "autoscaler", "simulate", "demo", "--pods", day(clone, "0,1h,1,1Gi"), *options)
    assert answer.code == 2, answer.err
    assert said in answer.err
    assert "hint:" in answer.err


def test_a_day_that_is_not_there_or_has_mistakes(run: Run, clone: Path) -> None:
    asked = ("-C", clone, "-q", "autoscaler", "simulate", "demo", "--flavor", "m1.large=4:16Gi", "--pods")
    lost = run(*asked, clone / "lost.csv")
    assert (lost.code, "cannot read" in lost.err) == (2, True)
    wrong = run(*asked, day(clone, "soon,1h,1,1Gi"))
    assert wrong.code == 2
    assert "day.csv:2:1" in wrong.err
