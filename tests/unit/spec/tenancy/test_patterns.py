"""What patterns mean: anchored, with capitals, and never over a slash that they do not name."""

from __future__ import annotations

import time

import pytest

from reconciler.spec.tenancy.patterns import matches_name, matches_pair, matches_path


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("physics", ["physics"], ["physics-2", "astrophysics", "Physics", "physics ", "", "phуsics"]),  # noqa: RUF001
        ("physics-*", ["physics-", "physics-a-b"], ["physics", "xphysics-a"]),
        ("*", ["", "a", "a/b"], []),
        ("[pb]*", ["physics", "biology"], ["chemistry", "Physics"]),
        ("env-?", ["env-a"], ["env-", "env-ab"]),
        ("*.physics.org", ["a.physics.org", "a.b.physics.org"], ["physics.org", "a.physics.org.evil", "aphysics.org"]),
    ],
)
def test_names(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [name for name in (*yes, *no) if matches_name(pattern, name)] == yes


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("moc/physics-*", ["moc/physics-a"], ["moc/biology", "moc2/physics-a", "a/moc/physics-a", "moc/x/physics-a"]),
        ("moc/*", ["moc/a"], ["moc", "mo/a", "moc/x/a"]),
        ("*/physics", ["moc/physics"], ["moc/physics-a", "physics"]),
    ],
)
def test_two_parts(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [pair for pair in (*yes, *no) if matches_pair(pattern, pair) and "/" in pair] == yes


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("m/p/**", ["m/p/a", "m/p/a/b"], ["m/p2/a", "m/pa", "m", "x/m/p/a", "m/P/a", "./m/p/a"]),
        ("m/p/", ["m/p/a", "m/p/a/b"], ["m/p2/a", "m/pa"]),
        ("m/p", ["m/p"], ["m/p/a", "m/pa"]),
        ("m/*", ["m/a"], ["m/a/b", "m"]),
        ("m/*/s.yaml", ["m/a/s.yaml"], ["m/s.yaml", "m/a/b/s.yaml"]),
        ("m/**/s.yaml", ["m/s.yaml", "m/a/s.yaml", "m/a/b/s.yaml"], ["m/a/xs.yaml", "s.yaml"]),
        ("**", ["a", "a/b"], []),
        ("**/*.yaml", ["a.yaml", "a/b.yaml"], ["a/b.yml"]),
        ("m/**/p/**/s", ["m/p/s", "m/a/p/b/c/s", "m/p/p/s"], ["m/s", "m/a/b/s"]),
        ("m/pa**", ["m/pab"], ["m/pa/b"]),
    ],
)
def test_paths(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in (*yes, *no) if matches_path(pattern, path)] == yes


def test_a_long_path_takes_no_time() -> None:
    began = time.process_time()
    assert not matches_path("/".join(["**", "a*a*a*b"] * 20), "/".join(["a" * 50] * 1000))
    assert time.process_time() - began < 2
