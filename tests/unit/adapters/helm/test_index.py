"""A chart repository's index: found in what is large and strange, and refused without a traceback."""

from __future__ import annotations

import contextlib
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.helm.index import archive_url
from reconciler.errors import Invalid

REPOSITORY = "https://charts.example.org/stable"


def index(*entries: dict[str, object], name: str = "web") -> bytes:
    return yaml.safe_dump(
        {"apiVersion": "v1", "entries": {"other": [{"version": "1.0.0"}], name: list(entries)}}
    ).encode()


def found(text: bytes, version: str = "1.0.0") -> str | None:
    return archive_url(text, REPOSITORY, "web", version)


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("web-1.0.0.tgz", f"{REPOSITORY}/web-1.0.0.tgz"),
        ("/web.tgz", "https://charts.example.org/web.tgz"),
        ("../web.tgz", "https://charts.example.org/web.tgz"),
        ("//else.where/web.tgz", "https://else.where/web.tgz"),
        ("http://127.0.0.1/web.tgz", "http://127.0.0.1/web.tgz"),
        ("oci://example.org/web:1.0.0", "oci://example.org/web:1.0.0"),
    ],
)
def test_addresses_are_relative_to_the_repository(url: str, absolute: str) -> None:
    assert found(index({"version": "1.0.0", "urls": [url, "https://second.org"]})) == absolute
    assert archive_url(index({"version": "1.0.0", "urls": [url]}), f"{REPOSITORY}/", "web", "1.0.0") == absolute


def test_the_version_counts_and_its_v_does_not() -> None:
    both = index({"version": "v1.0.0", "urls": ["v"]}, {"version": "1.0.0", "urls": ["exact"]}, {"version": "2.0.0"})
    assert found(both) == f"{REPOSITORY}/exact"
    assert found(both, "v1.0.0") == f"{REPOSITORY}/v"
    assert found(index({"version": "v1.0.0", "urls": ["v"]})) == f"{REPOSITORY}/v"
    assert found(both, "2.0.0") is None, "it has no address"
    assert found(both, "3.0.0") is None
    assert found(index(name="another")) is None


def test_what_stands_elsewhere_is_no_entry() -> None:
    inner = b"dependencies: [{version: 1.0.0, urls: [b]}]"
    assert found(b"urls: [a]\nversion: 1.0.0\nentries:\n  web:\n  - {version: 1, " + inner + b"}\n") is None
    assert found(b"web: [{version: 1.0.0, urls: [a]}]\n") is None
    assert found(b'{"entries": {"web": [{"urls": ["json"], "version": "1.0.0"}]}}') == f"{REPOSITORY}/json"


@pytest.mark.parametrize(
    "text", [b"entries: [", b"\xff\xfe\x00", b"a: \x00", b"[" * 100_000, b"- " * 100_000, b"? " * 100_000]
)
def test_what_is_no_index(text: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(Invalid, match="can't be read"):
        found(text)
    assert time.monotonic() - started < 5


def test_an_alias_is_nobodys_archive() -> None:
    assert found(b"entries: {web: [{version: 1.0.0, urls: *nowhere}]}") is None


def test_a_bomb_of_aliases_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    tracemalloc.start()
    assert found("\n".join(lines).encode()) is None
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000) | st.text(alphabet="[]{}:,-?&*!|>'\"\n web1.0entrisul", max_size=500).map(str.encode))
def test_nothing_breaks_it(text: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert found(text) is None
