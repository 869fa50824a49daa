"""Both sides of differences, line by line."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.change import Action, Class, Difference, Severity
from reconciler.model.resource import Component, Key, Resource
from reconciler.report.sides import unified

KEY = Key("ConfigMap", "sid/web")
OF = Difference(
    Component.WORKLOADS, KEY, "data.conf", "a\nb\nc\n", None, "a\nB\nc\n", Class.DRIFT, Action.UPDATE, Severity.LOW,
    "was changed outside git",
)  # fmt: skip


def told(*differences: Difference, wanted: Resource | None = None) -> list[str]:
    return list(unified(differences, {(Component.WORKLOADS, KEY): wanted} if wanted else {}, "c0ffee" * 6))


def test_a_text_of_several_lines_is_compared_line_by_line() -> None:
    assert told(OF) == [
        "--- ConfigMap sid/web (live)",
        "+++ ConfigMap sid/web (git at c0ffeec0ffee)",
        "@@ data.conf @@ drift: was changed outside git",
        " a",
        "-B",
        "+b",
        " c",
    ]


def test_what_a_side_does_not_have_is_not_shown_as_a_value() -> None:
    assert told(replace(OF, field="spec.replicas", desired=2, live=None))[3:] == ["+2"]
    assert told(replace(OF, field="spec.replicas", desired=None, live=2))[3:] == ["-2"]


def test_of_what_is_missing_every_field_of_gits_is_shown() -> None:
    wanted = Resource("ConfigMap", "sid/web", {"data.b": "1\n2", "data.a": "x"})
    missing = replace(OF, field="", desired="present", live=None)
    assert told(missing, wanted=wanted)[3:] == ["+data.a: x", "+data.b: 1 2"]
    assert told(replace(missing, desired=None, live="present"))[3:] == []


def test_secrets_stay_hidden_and_terminals_obey_nothing() -> None:
    secret = replace(OF, key=Key("Secret", "sid/db"), field="data.password", desired="hunter2", live="hunter3\nx")
    assert not [line for line in told(secret) if "hunter" in line]
    inside = replace(OF, live="user=a\npassword=hunter2\n\x1b[31m\n", desired="user=b\ntoken: abcdef\n")
    shown = "\n".join(told(inside))
    assert "hunter2" not in shown
    assert "abcdef" not in shown
    assert "\x1b" not in shown
    assert "-user=a" in shown


def test_a_live_text_without_end_is_cut() -> None:
    lines = told(replace(OF, live="x\n" * 9_000))
    assert len(lines) < 2_100
    assert lines[-1].endswith("lines more")
