"""`reconciler ci` as a job calls it, against a forge on loopback; and `--report`, which it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.reports import reported
from reconciler.report import bundle
from tests.forges import TOKEN, Server, serving
from tests.unit.cli.conftest import Run
from tests.unit.report.test_comment import IN_SYNC, report
from tests.unit.report.test_report_view import difference, seen


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GITHUB_REPOSITORY",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "CI_PROJECT_ID",
        "GITLAB_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["github", "gitlab"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving(request.param) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def folder(path: Path, *, calm: bool = False) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in bundle.files(report(IN_SYNC if calm else seen(difference()))).items():
        (path / name).write_text(text)
    return path


def test_one_comment_is_kept_up_to_date(run: Run, server: Server, tmp_path: Path) -> None:
    said = [
        run("ci", "comment", folder(tmp_path / "report", calm=calm), "--pull-request", "7").out
        for calm in (False, False, True)
    ]
    assert said == [f"comment on pull request 7: {done}\n" for done in ("written", "left as it is", "edited")]
    (only,) = server.memory.comments(7)
    assert "calm: nothing would change" in only.body


def test_one_issue_is_opened_and_closed(run: Run, server: Server, tmp_path: Path) -> None:
    assert "issue opened: https://" in run("ci", "issue", folder(tmp_path / "report")).out
    assert "issue closed: https://" in run("ci", "issue", folder(tmp_path / "report", calm=True)).out
    ((issue, label),) = server.memory.kept
    assert (issue.open, label) == (False, "drift")


@pytest.mark.parametrize("verb", ["comment", "issue"])
def test_a_dry_run_asks_nobody_and_needs_no_token(
    run: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN" if server.kind == "github" else "GITLAB_TOKEN")
    said = run("ci", verb, folder(tmp_path / "report"), "--dry-run")
    assert (said.code, server.asked) == (0, [])
    assert "demo: 1 difference" in said.out


def test_a_job_of_no_pull_request(run: Run, server: Server, tmp_path: Path) -> None:
    said = run("ci", "comment", folder(tmp_path / "report"))
    assert (said.code, "--pull-request" in said.err, server.asked) == (2, True, [])


def test_no_job_at_all(run: Run, tmp_path: Path) -> None:
    said = run("ci", "comment", folder(tmp_path / "report"), "--pull-request", "7")
    assert (said.code, "GITHUB_REPOSITORY" in said.err) == (2, True)


def test_the_token_is_in_no_message(run: Run, server: Server, tmp_path: Path) -> None:
    server.next_answers.clear()
    said = run("ci", "comment", folder(tmp_path / "report"), "--pull-request", "7", "--key", "x")
    assert TOKEN not in said.out + said.err


def test_the_summary_is_appended_or_printed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run("ci", "summary", folder(tmp_path / "report")).out
    assert "### reconciler `plan`" in shown
    (tmp_path / "summary").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert run("ci", "summary", tmp_path / "report").out == ""
    assert (tmp_path / "summary").read_text() == f"before\n{shown}"


@pytest.mark.parametrize("there", [False, True])
def test_what_is_no_report(run: Run, tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "report.json").write_text("{}")
    said = run("ci", "annotate", tmp_path)
    assert (said.code, "--report" in said.err) == (2, True)


def test_a_mistake_is_reported_where_it_is(run: Run, tmp_path: Path) -> None:
    """From `validate --report` to the annotation at file and line."""
    run("init", tmp_path / "gitops")
    file = tmp_path / "gitops/desired/research/cluster.yaml"
    lines = file.read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines, 1) if line.startswith("  image:"))
    lines[at - 1] = "  imaeg: ubuntu\n"
    file.write_text("".join(lines))
    said = run("-C", tmp_path / "gitops", "validate", "--report", tmp_path / "report")
    assert said.code == 2
    noted = run("ci", "annotate", tmp_path / "report").out
    assert f"::error file=desired/research/cluster.yaml,line={at},col=3,title=mistake in the desired state::" in noted
    scanned = json.loads((tmp_path / "report/report.sarif").read_text())["runs"][0]["results"]
    places = [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in scanned]
    assert at in places
    assert json.loads((tmp_path / "report/codequality.json").read_text())[0]["location"]["path"].startswith("desired/")


def test_a_run_that_is_cut_off_leaves_no_report(tmp_path: Path) -> None:
    """Half of what there is would read as all of it, and would close an issue."""
    folder(tmp_path / "report")
    with pytest.raises(KeyboardInterrupt), reported("drift", tmp_path / "report"):
        raise KeyboardInterrupt
    assert not (tmp_path / "report/report.json").exists()


def test_a_report_that_can_not_be_written(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path / "gitops")
    (tmp_path / "file").write_text("mine")
    said = run("-C", tmp_path / "gitops", "validate", "--report", tmp_path / "file")
    assert (said.code, "--report names a folder" in said.err, (tmp_path / "file").read_text()) == (2, True, "mine")


def test_what_is_valid_is_reported_too(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path / "gitops")
    assert run("-C", tmp_path / "gitops", "validate", "--report", tmp_path / "report").code == 0
    assert run("ci", "annotate", tmp_path / "report").out == ""
    assert "`validate`: valid" in run("ci", "summary", tmp_path / "report").out


def test_a_plan_that_fails_is_reported_by_cluster(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path / "gitops")
    said = run("-q", "-C", tmp_path / "gitops", "plan", "--report", tmp_path / "report")
    assert said.code == 1
    told = bundle.read((tmp_path / "report/report.json").read_bytes(), "report.json")
    assert ([f.cluster for f in told.failures], len(told.commit)) == (["research"], 40)
    assert "::error file=desired/research/cluster.yaml" in run("ci", "annotate", tmp_path / "report").out
