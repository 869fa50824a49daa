"""One comment and one issue, kept up to date; never somebody else's, and never sent for nothing."""

from __future__ import annotations

import pytest

from reconciler.control import announce
from reconciler.errors import Transient
from reconciler.report.comment import mark
from tests.forges import Memory
from tests.unit.report.test_comment import IN_SYNC, report
from tests.unit.report.test_report_view import difference, seen

DRIFTED = report(seen(difference()), verb="drift")
CALM = report(IN_SYNC, verb="drift")


@pytest.fixture
def forge() -> Memory:
    return Memory()


class TestComment:
    def test_it_is_written_once_and_edited_from_then_on(self, forge: Memory) -> None:
        said = [announce.comment(forge, 7, told, "plan") for told in (DRIFTED, DRIFTED, CALM, DRIFTED)]
        assert said == ["written", "left as it is", "edited", "edited"]
        assert forge.sent == ["comment", "edit", "edit"]
        (only,) = forge.comments(7)
        assert "demo: 1 difference" in only.body

    def test_each_key_has_its_own(self, forge: Memory) -> None:
        announce.comment(forge, 7, DRIFTED, "plan")
        announce.comment(forge, 7, DRIFTED, "moc")
        assert [c.body.splitlines()[0] for c in forge.comments(7)] == [mark("plan"), mark("moc")]

    def test_somebody_elses_is_left_alone_whatever_it_says(self, forge: Memory) -> None:
        forge.by_other(7, f"{mark('plan')}\nlook at me")
        assert announce.comment(forge, 7, DRIFTED, "plan") == "written"
        assert forge.comments(7)[0].body.endswith("look at me")

    def test_a_mark_that_is_only_quoted_is_none(self, forge: Memory) -> None:
        forge.by_other(7, f"we wrote {mark('plan')}", mine=True)
        assert announce.comment(forge, 7, DRIFTED, "plan") == "written"


class TestIssue:
    def test_it_is_opened_edited_closed_and_opened_again(self, forge: Memory) -> None:
        worse = report(seen(difference(), difference("demo-worker-2")), verb="drift")
        steps = [CALM, DRIFTED, DRIFTED, worse, CALM, CALM, DRIFTED]
        said = [announce.issue(forge, told, "drift", "drift").partition(":")[0] for told in steps]
        assert said == ["not needed", "opened", "left as it is", "edited", "closed", "left closed", "reopened"]
        ((issue, _),) = forge.kept
        assert (issue.title, issue.open) == ("Drift: demo", True)

    def test_what_could_not_be_seen_does_not_close_it(self, forge: Memory) -> None:
        announce.issue(forge, DRIFTED, "drift", "drift")
        blind = report(IN_SYNC, error=Transient("the cloud does not answer"), cluster="demo", verb="drift")
        assert announce.issue(forge, blind, "drift", "drift").startswith("edited")
        ((issue, _),) = forge.kept
        assert issue.open
        assert "the cloud does not answer" in issue.body

    def test_one_that_a_person_closed_is_opened_again_while_it_differs(self, forge: Memory) -> None:
        announce.issue(forge, DRIFTED, "drift", "drift")
        ((issue, _),) = forge.kept
        forge.change_issue(issue.id, title=issue.title, body=issue.body, open=False)
        assert announce.issue(forge, DRIFTED, "drift", "drift").startswith("reopened")

    def test_somebody_elses_with_the_same_label_stays(self, forge: Memory) -> None:
        forge.issue_by_other("mine", f"{mark('drift')}\ntext", "drift")
        assert announce.issue(forge, DRIFTED, "drift", "drift").startswith("opened")
        announce.issue(forge, CALM, "drift", "drift")
        assert [(i.title, i.open) for i, _ in forge.kept] == [
            ("mine", True),
            ("Drift: all clusters are in sync", False),
        ]
