"""What a job tells of a report: bounded, found again by its mark, and not talked into anything by a cloud's texts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.errors import Blocked, Invalid, Problem, ReconcilerError, Transient
from reconciler.model.change import Class, Severity
from reconciler.model.outcome import Status
from reconciler.model.plan import Plan, Refusal
from reconciler.report import actions, bundle, comment
from reconciler.report.bundle import Failure, Report
from reconciler.report.quality import quality
from reconciler.report.view import View, view
from tests.unit.report.test_report_hostile import HOSTILE, calls, everywhere, structure, unseen
from tests.unit.report.test_report_view import difference, seen

RUN = "https://forge.example.org/run/1"
IN_SYNC = view(Plan("calm", "c0ffee"), status=Status.IN_SYNC)
MISTAKE = Invalid(
    "the desired state has 1 mistake",
    hint="look there",
    problems=[Problem("desired/demo/cluster.yaml", 12, 5, "spec.image", "is missing", "name one")],
)
LIMIT = 65_536


def report(*views: View, error: ReconcilerError | None = None, cluster: str = "", verb: str = "plan") -> Report:
    return Report(verb, "c0ffee", views, (Failure.of(error, cluster),) if error else ())


def named(name: str, findings: int) -> View:
    one = seen(*(difference(f"{name}-worker-{n:04}") for n in range(findings)))
    return replace(one, cluster=name)


class TestComment:
    def test_it_names_the_plan_and_the_commit(self) -> None:
        shown = seen(difference())
        text = comment.comment(report(shown, IN_SYNC), limit=LIMIT, key="plan", run=RUN)
        assert text.startswith("<!-- reconciler:plan -->\n### reconciler `plan`: 2 clusters, 1 would change\n")
        assert f"| `demo` | `1 difference that is there already` | 0 | 1 | 0 | `{shown.digest}` |" in text
        assert f"| `calm` | `nothing would change` | 0 | 0 | 0 | `{IN_SYNC.digest}` |" in text
        assert "Desired state `c0ffee`" in text
        assert text.count("<details><summary>demo: 1 difference that is there already") == 1
        assert text.count("<details><summary>calm: nothing would change") == 1
        assert f"]({RUN})" in text

    def test_what_is_proposed_is_no_drift(self) -> None:
        mine = difference(cls=Class.PENDING)
        text = comment.comment(report(seen(mine, difference(field="other"))), limit=LIMIT, key="plan")
        assert "1 change proposed; 1 difference that is there already" in text
        assert "drifted" not in text
        told = comment.comment(report(seen(mine), verb="drift"), limit=LIMIT, key="drift")
        assert "**drifted**" in told

    def test_the_urgent_come_first_in_it(self) -> None:
        text = comment.comment(report(IN_SYNC, seen(difference())), limit=LIMIT, key="plan")
        assert text.index("<summary>demo") < text.index("<summary>calm")

    @pytest.mark.parametrize("clusters", [1, 2, 90, 400])
    @pytest.mark.parametrize("findings", [0, 3, 400])
    def test_it_is_never_too_long(self, clusters: int, findings: int) -> None:
        if clusters * findings > 10_000:
            findings = 20
        views = [named(f"c{n}", findings if n % 2 else 1) for n in range(clusters)]
        text = comment.comment(report(*views), limit=LIMIT, key="plan", run=RUN)
        assert len(text) <= LIMIT
        assert text.count("<details>") == text.count("</details>")
        assert text.rstrip().endswith("</sub>")
        if "Cut for length" in text or "left out for length" in text:
            assert f"[the job's summary and artifacts]({RUN})" in text
        elif clusters <= 100:
            assert text.count("<details><summary><code>c") == clusters

    def test_short_sections_stay_whole_beside_a_long_one(self) -> None:
        text = comment.comment(report(named("long", 3000), named("short", 2)), limit=LIMIT, key="plan", run=RUN)
        assert LIMIT - 1500 < len(text) <= LIMIT
        assert text.count("short-worker-0001") == 2
        assert "*Cut for length: long. All of it" in text

    def test_what_failed_is_told_with_its_place(self) -> None:
        text = comment.comment(report(error=MISTAKE, verb="validate"), limit=LIMIT, key="plan")
        assert "### reconciler `validate`: nothing could be seen, 1 failure" in text
        assert "- `desired/demo/cluster.yaml:12:5` `spec.image`: is missing (name one)" in text

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_no_value_breaks_out_of_it_mentions_people_or_hides_things(self, text: str) -> None:
        def made(value: str, limit: int = 8 * LIMIT) -> str:
            problems = [Problem(value, 1, 1, value, value, value)]
            failures = (Failure(value, value, value, 1, tuple(problems)),)
            return comment.comment(Report("plan", value, (everywhere(value),), failures), limit=limit, key="plan")

        written = made(text)
        assert structure(written) == structure(made("harmless"))
        assert len(made(text, LIMIT)) <= LIMIT
        assert not unseen(written)
        assert calls(written) == []

    def test_many_failures_are_bounded_too(self) -> None:
        problems = [Problem(f"desired/c{n}/cluster.yaml", n, 1, "spec", "x" * 900, "y" * 900) for n in range(1, 60)]
        failures = tuple(Failure(f"c{n}", "z" * 900, "h" * 900, 2, tuple(problems)) for n in range(100))
        text = comment.comment(Report("plan", "c0ffee", (named("demo", 3),), failures), limit=LIMIT, key="plan")
        assert len(text) <= LIMIT
        assert "more failures" in text
        assert "<details><summary>demo" in text
        assert text.rstrip().endswith("</sub>")

    def test_secrets_stay_out(self) -> None:
        text = comment.comment(
            report(error=Transient("login failed: password=hunter22 was refused")), limit=LIMIT, key="x"
        )
        assert "hunter22" not in text

    def test_keys_tell_comments_apart_and_say_nothing_else(self) -> None:
        assert comment.mark("drift") != comment.mark("plan")
        assert comment.mark("a --> <b>\n") == "<!-- reconciler:a--b -->"


class TestBundle:
    @pytest.mark.parametrize("text", HOSTILE[:-2], ids=range(len(HOSTILE) - 2))
    def test_what_is_written_is_read_back_the_same(self, text: str) -> None:
        told = report(everywhere(text), IN_SYNC, error=MISTAKE, cluster="demo")
        assert bundle.read(bundle.files(told)["report.json"].encode(), "report.json") == told

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b"[]", b"null", b'{"version": 1}', b"\xff", b'{"version": 2, "clusters": []}']
    )
    def test_what_is_no_report_is_refused(self, content: bytes) -> None:
        with pytest.raises(Invalid, match="is no report") as told:
            bundle.read(content, "x/report.json")
        assert "--report" in (told.value.hint or "")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('"severity": "high"', '"severity": "awful"'),
            ('"status": "drifted"', '"status": "fine"'),
            ('"cluster": "demo"', '"cluster": 1'),
            ('"repaired": false', '"repaired": "no"'),
            ('"findings": [', '"findings": 1, "x": ['),
        ],
    )
    def test_so_is_one_with_a_wrong_value(self, old: str, new: str) -> None:
        text = bundle.files(report(seen(difference())))["report.json"]
        assert old in text
        with pytest.raises(Invalid, match="is no report"):
            bundle.read(text.replace(old, new).encode(), "report.json")

    def test_no_file_leads_out_of_the_folder(self) -> None:
        names = bundle.files(report(replace(IN_SYNC, cluster="../../etc/passwd"))).keys()
        assert [name for name in names if "/" in name or name.startswith(".")] == []

    def test_what_could_not_be_seen_is_not_in_sync(self) -> None:
        assert report(IN_SYNC).in_sync
        assert not report(IN_SYNC, error=Transient("no answer")).in_sync
        assert not report(IN_SYNC, seen(difference())).in_sync
        assert not report(verb="drift").in_sync, "nothing was looked at"
        assert not report(replace(IN_SYNC, status=Status.UNKNOWN)).in_sync

    def test_gitlab_reads_mistakes_and_findings(self) -> None:
        found = quality([seen(difference())], MISTAKE.problems)
        assert [(f["severity"], f["location"]["path"], f["location"]["lines"]["begin"]) for f in found] == [
            ("blocker", "desired/demo/cluster.yaml", 12),
            ("critical", "desired/demo/cluster.yaml", 1),
        ]
        assert len({f["fingerprint"] for f in found}) == 2


class TestAnnotations:
    def test_a_mistake_is_at_its_line(self) -> None:
        assert actions.commands(report(error=MISTAKE)) == (
            "::error file=desired/demo/cluster.yaml,line=12,col=5,title=mistake in the desired state"
            "::spec.image: is missing%0Ahint: name one\n"
        )

    def test_levels(self) -> None:
        asked = difference("a", cls=Class.PENDING, severity=Severity.HIGH)
        found = replace(view(Plan("demo", "c0ffee", (asked, difference("b"))), status=Status.BLOCKED), refusals=())
        refused = view(
            Plan("demo", "c0ffee", (), (), (Refusal("control-plane", "would delete it", "approve it"),)),
            status=Status.BLOCKED,
        )
        said = [a.level for a in actions.annotated(report(found, refused, error=Blocked("no")))]
        assert said == ["error", "warning", "warning", "notice"]

    def test_too_many_are_counted(self) -> None:
        text = actions.commands(report(named("demo", 30)))
        assert text.count("::warning ") == 10
        assert text.endswith("::21 more warnings: the job's summary has all\n")

    @pytest.mark.parametrize("text", [*HOSTILE, "%0A::add-mask::x", "\n::set-output name=a::b", "a,line=9::b"])
    def test_no_value_becomes_a_command(self, text: str) -> None:
        told = Report("plan", text, (everywhere(text),), (Failure(text, text, text, 1),))
        for line in actions.commands(told).splitlines():
            assert re.match(r"::(error|warning|notice) (file=[^:,]*,line=1,col=1,)?title=[^:,]*::", line)
            assert re.findall(r"%(?!25|0A|0D|3A|2C)", line) == []


@pytest.mark.parametrize("make", [lambda r: comment.comment(r, limit=LIMIT, key="plan"), actions.commands])
def test_the_same_report_gives_the_same_text(make: Callable[[Report], str]) -> None:
    orders = itertools.islice(itertools.permutations([named("a", 2), named("b", 3)]), 2)
    assert len({make(report(*order)) for order in [list(next(orders))] * 2}) == 1
