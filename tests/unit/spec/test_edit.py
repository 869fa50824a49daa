"""An edit changes the lines it means: comments, quotes, order and layout of all others stay."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Permanent
from reconciler.spec.edit import Edit, edited

DEMO = (Path(__file__).parents[3] / "desired/demo/cluster.yaml").read_bytes()


def changed(text: bytes, *edits: Edit) -> list[str]:
    """The lines of a diff, without its context."""
    before, after = text.decode().splitlines(), edited("x.yaml", text, edits).decode().splitlines()
    return [line for line in difflib.ndiff(before, after) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (Edit(("spec", "nodeGroups", 0, "count"), 5), ["-       count: 2", "+       count: 5"]),
        (
            Edit(("spec", "network", "dnsServers"), ("192.0.2.53",)),
            ["-     dnsServers: [1.1.1.1, 9.9.9.9]", "+     dnsServers:", "+       - 192.0.2.53"],
        ),
        (
            Edit(("spec", "access", "api"), "203.0.113.0/24", append=True),
            [
                "-     api: [192.0.2.0/24, 198.51.100.0/24]",
                "+     api: [192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24]",
            ],
        ),
        (Edit(("spec", "suspend"), True), ["+   suspend: true"]),
        (
            Edit(("spec", "nodeGroups", 0, "labels", "team"), "blue"),
            ["+         team: blue"],
        ),
        (Edit(("spec", "kubernetes", "networkPlugin"), None), ["-     networkPlugin: calico"]),
    ],
)
def test_only_the_lines_that_are_meant_change(edit: Edit, lines: list[str]) -> None:
    assert changed(DEMO, edit) == lines


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"a:\n  - 1\n# about b\nb: 2\n", b"a: []\n# about b\nb: 2\n"),
        (b"a: [1]\nb: 2\n", b"a: []\nb: 2\n"),
        (b"a:\n  - {x: 1}\n  - {x: 2}\n\n# about b\nb: 2\n", b"a:\n  - {x: 2}\n\n# about b\nb: 2\n"),
    ],
)
def test_what_goes_takes_no_comment_of_others_along(text: bytes, left: bytes) -> None:
    assert edited("x", text, [Edit(("a", 0), None)]) == left


def test_several_entries_of_one_list_go_whatever_their_order() -> None:
    text = b"a:\n  - 1 # one\n  - 2\n  - 3 # three\n  - 4\n"
    assert edited("x", text, [Edit(("a", 0), None), Edit(("a", 2), None)]) == b"a:\n  - 2\n  - 4\n"


def test_a_second_document_and_lists_that_are_not_set_in() -> None:
    text = b"a: 1\n---\nb:\n- 1\n- 2 # two\n"
    assert edited("x", text, [Edit(("b", 1), 3, document=1)]) == b"a: 1\n---\nb:\n- 1\n- 3 # two\n"


@pytest.mark.parametrize("text", [b"a:   {b:    1}\n", b"a: [\n", b"a:\n     b: 1\n"])
def test_a_layout_that_would_be_rewritten_is_left_alone(text: bytes) -> None:
    with pytest.raises(Permanent, match="layout"):
        edited("x.yaml", text, [Edit(("a",), 1)])


@pytest.mark.parametrize("value", ["no", "1.30", "a: b", "", "#", "x" * 500, ("a", {"b": "1e3"})])
def test_what_is_written_is_read_as_it_was_meant(value: Any) -> None:
    from reconciler.spec.yaml import parse

    (document,) = parse("x", edited("x", b"a: 1\n", [Edit(("a",), value)]))
    assert document.value == {"a": value}
