"""Records are read fast and within bounds: what programs write comes back as it was, and nothing else comes back."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec import records
from reconciler.spec.yaml import Unreadable

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4))
# ten to the ninth values, in 448 bytes
LAUGHS = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
)


def plain(value: object) -> object:
    """With tuples for lists, as they are read."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return tuple(plain(part) for part in value) if isinstance(value, list) else value


@given(VALUES)
def test_what_is_written_is_read_as_the_library_reads_it(value: object) -> None:
    for dumper in (yaml.CSafeDumper, yaml.SafeDumper):
        text = yaml.dump(value, Dumper=dumper, allow_unicode=True, width=120, default_flow_style=False)
        assert records.read("x", text.encode()) == plain(yaml.safe_load(text))


@pytest.mark.parametrize(
    "word", ["no", "1e5", "0o17", "0644", "2026-11-24", "null", "~", "<<", "=", "1_000", "1:30", "True"]
)
def test_a_word_that_means_something_elsewhere_is_a_word(word: str) -> None:
    assert records.read("x", yaml.safe_dump([word]).encode()) == (word,)


def test_nothing_is_nothing() -> None:
    assert records.read("x", b"") is None
    assert records.read("x", b"# a comment\n") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "an anchor"),
        (b"a: &a [*a]\n", "an anchor"),
        (b"a: *a\n", "an alias"),
        (b"a: &a {b: 1}\nc:\n  <<: *a\n", "an anchor"),
        (b"a: !!python/object:os.system x", "a tag"),
        (b"a: !!str 1", "a tag"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{a: " * 100_000, "nested too deeply"),
        (b"- " * 100_000, "nested too deeply"),
        (b"? " * 100_000, "nested too deeply"),
        (b"a" * (16 * 1024 * 1024 + 1), "larger than 16 MiB"),
        (b"a: 1\na: 2\n", "is there twice"),
        (b"{a: b}: c", "a key that is no text"),
        (b"1: c", "a key that is no text"),
        (b"a\n---\nb\n", "a second document"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\x00", "a character YAML does not allow"),
        (b"a: [", "broken YAML"),
        (b'"\\ud800"', "broken YAML"),
    ],
)  # fmt: skip
def test_what_no_program_of_ours_wrote_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        records.read("x", text)


def test_how_many_values_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_MAX_VALUES", 100)
    assert len(cast(Any, records.read("x", b"[" + b"a," * 99 + b"]"))) == 99
    for text in (b"[" + b"a," * 100 + b"]", b"".join(b"k%d: \n" % n for n in range(50))):
        with pytest.raises(Unreadable, match="too many values"):
            records.read("x", text)


def test_a_large_record_is_read_in_less_time_than_by_the_library() -> None:
    text = yaml.dump([{"kind": "Deployment", "name": f"n/{n}", "digest": f"{n:064x}"} for n in range(2000)]).encode()

    def seconds(times: int, read: object) -> float:
        best = float("inf")
        for _ in range(times):
            started = time.process_time()
            read(text)  # type: ignore[operator]
            best = min(best, time.process_time() - started)
        return best

    library = seconds(2, lambda text: yaml.load(text, Loader=yaml.CSafeLoader))
    assert seconds(3, lambda text: records.read("x", text)) < library
