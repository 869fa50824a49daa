"""What YAML means here, and what of it is refused: with libyaml, and with PyYAML's own parser where that is missing."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml as pyyaml

from reconciler.errors import Problem
from reconciler.spec import yaml
from reconciler.spec.yaml import Unreadable, parse


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(yaml, "_LOADER", pyyaml.SafeLoader)
        monkeypatch.setattr(yaml, "MAX_BYTES", 24 << 10)
    return str(request.param)


def value(text: str) -> Any:
    (document,) = parse("x.yaml", text.encode())
    return document.value


def refused(text: str | bytes) -> Problem:
    with pytest.raises(Unreadable) as caught:
        parse("x.yaml", text.encode() if isinstance(text, str) else text)
    problem = caught.value.problem
    assert problem.file == "x.yaml"
    assert problem.line >= 1
    assert problem.column >= 1
    assert len(str(problem)) < 500
    return problem


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("no", "no"), ("on", "on"), ("y", "y"), ("true", True), ("FALSE", False), ("tRue", "tRue"),
        ("010", 10), ("0o10", 8), ("0x1F", 31), ("-7", -7), ("+7", 7), ("1_000", "1_000"), ("12:30", "12:30"),
        ("1.30", 1.3), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), (".inf", math.inf), ("-.Inf", -math.inf),
        ("~", None), ("", None), ("Null", None), ("nUll", "nUll"), ("2026-11-24", "2026-11-24"), ("=", "="),
        ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("!!int '1'", 1), ("! 1", "1"), ("!!float 1", 1.0),
        ("!!null ''", None), ("!!bool 'true'", True), ("!!seq [a]", ("a",)), ("!!map {a: b}", {"a": "b"}),
        ('"\\u00e9\\x07"', "é\x07"), ("|\n  a\n  b\n", "a\nb\n"), ("18446744073709551615", (1 << 64) - 1),
    ],
)  # fmt: skip
def test_a_word_means_what_yaml_12_says(word: str, meant: object) -> None:
    found = value(f"a: {word}")["a"]
    assert (type(found), found) == (type(meant), meant)


def test_every_value_knows_its_place() -> None:
    (document,) = parse("x.yaml", b"\xef\xbb\xbfa:\r\n  - b: {c: d}\r\n  -   e\r\n")
    assert document.value == {"a": ({"b": {"c": "d"}}, "e")}
    assert document.positions == {
        (): (1, 1),
        ("a",): (1, 1),
        ("a", 0): (2, 5),
        ("a", 0, "b"): (2, 5),
        ("a", 0, "b", "c"): (2, 9),
        ("a", 1): (3, 7),
    }


def test_an_alias_stands_where_it_is_used_and_its_parts_where_they_were_written() -> None:
    (document,) = parse("x.yaml", b"a: &x\n  - {b: c}\nd:\n  e: *x\n")
    assert document.value == {"a": ({"b": "c"},), "d": {"e": ({"b": "c"},)}}
    assert document.positions["d", "e"] == (4, 3)
    assert document.positions["d", "e", 0, "b"] == document.positions["a", 0, "b"] == (2, 6)


def test_an_alias_of_a_key_an_alias_as_a_key_and_an_anchor_used_again() -> None:
    assert value("&k name: *k") == {"name": "name"}
    assert value("a: &k name\nb: {*k : 1}") == {"a": "name", "b": {"name": 1}}
    assert value("- &x 1\n- *x\n- &x 2\n- *x") == (1, 1, 2, 2)
    assert "there is no anchor &x" in refused("a: &x 1\n---\nb: *x").message


def test_many_documents_and_empty_ones() -> None:
    assert [document.value for document in parse("x.yaml", b"a: 1\n---\n---\n- b\n...\n")] == [{"a": 1}, None, ("b",)]
    assert parse("x.yaml", b"") == parse("x.yaml", b"# nothing\n") == []


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "message"),
    [
        ("a:\n  b: 1\n  b: 2", 3, 3, "a.b", "there twice"),
        ("a: [1,\n2", 1, 4, "", "broken YAML"),
        ("a: 1\n\tb: 2", 2, 1, "", "broken YAML"),
        ("a: 'x\n\n\n", 1, 4, "", "broken YAML"),
        ("a: b: c", 1, 5, "", "broken YAML"),
        ("é: é\nb: \x07", 2, 4, "", "U+0007"),
        ("a: \ufffe", 1, 4, "", "U+FFFE"),
        ("a: 1\nb: !x y", 2, 4, "b", "has the tag '!x', which is not plain data"),
        ("a: !!binary aGk=", 1, 4, "a", "not plain data"),
        ("a: !!set {x}", 1, 4, "a", "not plain data"),
        ("a: !!timestamp 2026-11-24", 1, 4, "a", "not plain data"),
        ("a: !!python/name:os.system x", 1, 4, "a", "not plain data"),
        ("a: !!int x", 1, 4, "a", "is no int"),
        ("a: !!str [x]", 1, 4, "a", "not plain data"),
        ("{a: 1}: x", 1, 1, "", "a key must be plain text"),
        ("? - x\n: y", 1, 3, "", "a key must be plain text"),
        ("!x a: 1", 1, 1, "", "a key must be plain text"),
        ("b: &a [x]\n*a : 1", 2, 1, "", "a key must be plain text"),
        ("a: &a {b: *a}", 1, 11, "a.b", "refers to itself"),
        ("a: *nobody", 1, 4, "a", "there is no anchor &nobody"),
        ("a: &x {b: 1}\nc:\n  <<: *x", 3, 3, "c.<<", "merges another mapping"),
        ("a: 18446744073709551616", 1, 4, "a", "more than 64 bits"),
        ("a: " + "9" * 5000, 1, 4, "a", "too many digits"),
        ("a: 0." + "0" * 5000, 1, 4, "a", "too many digits"),
        ('a: "\\ud800"', 1, 0, None, ""),
        ('a: "\\UFFFFFFFF"', 1, 0, None, ""),
        ("a: " + "[" * 101, 1, 104, "a" + ".0" * 100, "nested too deeply"),
        ("- " * 110, 1, 203, ".".join("0" * 101), "nested too deeply"),
        ("a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a", 2, 64, "b" + ".0" * 60, "nested too deeply"),
        ("%YAML " + "9" * 6000 + ".1\n--- a", 1, 0, None, ""),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, line: int, column: int, path: str | None, message: str) -> None:
    problem = refused(text)
    assert problem.line == line
    assert message in problem.message
    if path is not None:
        assert (problem.column, problem.path) == (column, path)


def test_a_quoted_merge_key_is_a_key() -> None:
    assert value("'<<': 1") == {"<<": 1}


def test_a_bomb_does_not_go_off() -> None:
    width = ", ".join(["*a"] * 1000)
    assert "expands to too many values" in refused(f"a: &a [{'x,' * 100}]\nb: [{width}]").message
    doubling = "\n".join(["a0: &a0 x"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)])
    assert "expands to too many values" in refused(doubling).message
    text = f"a: &a {'x' * 20_000}\nb: [{', '.join(['*a'] * 1000)}]"
    assert "expands to too many values" in refused(text).message


def test_how_much_is_too_much() -> None:
    assert "larger than" in refused(b" " * (yaml.MAX_BYTES + 1)).message
    assert "more than 5,000 documents" in refused("---\n" * 5_001).message
    assert len(parse("x.yaml", b"---\n" * 5_000)) == 5_000


def test_what_comes_out_counts_and_not_how_it_is_written(parser: str) -> None:
    """Indentation and comments are free up to what is read of git at all; values are one for every 42, or 60,000."""
    if parser == "python":  # which is slow, and limited by bytes alone
        return
    deep = "".join(" " * n + f"k{n}:\n" for n in range(90)) + " " * 100 + "x: 1\n"
    assert parse("x.yaml", (deep + "# prose\n" * 200_000).encode())[0].value["k0"]["k1"]
    assert "more than 60,000" in refused("[" + "a," * 60_000 + "]").message
    wide = "".join(f"{'k' * 50}{n}: 1\n" for n in range(61_000))
    assert len(parse("x.yaml", wide.encode())[0].value) == 61_000


def test_what_is_no_utf8_has_its_line() -> None:
    assert refused(b"a: 1\nb: \xff\xfe").line == 2
    assert refused("a: ü".encode("utf-16")).line == 1


def test_a_key_is_shown_short_and_printable() -> None:
    problem = refused(f'? "\\x1b[31m{"k" * 5000}"\n: &a [*a]')
    assert problem.path.startswith("\\x1b[31mkkk")
    assert len(problem.path) < 100


def test_a_message_that_quotes_something_long_is_cut() -> None:
    (document,) = parse("x.yaml", b"a: 1")
    assert len(document.problem(("a",), "x" * 9000).message) == 1000
