"""A typo gets the nearest key, at whatever depth it stands; numbers and names have their limits."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid, Problem
from tests.unit.examples import desired


def problem(old: str, new: str) -> Problem:
    with pytest.raises(Invalid) as caught:
        desired((old, new))
    return next(p for p in caught.value.problems if "missing" not in p.message)


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("flavor: m1.large", "flavour: m1.large", "did you mean 'flavor'?"),
        ("publicKey:", "publickey:", "did you mean 'publicKey'?"),
        ("externalNetwork:", "external_network:", "did you mean 'externalNetwork'?"),
        ("floatingIps:", "floatingIPs:", "did you mean 'floatingIps'?"),
        ("  access:", "  acces:", "did you mean 'access'?"),
        ("user: cloud", "zzz: 1", "known here: port, publicKey, user"),
        ("labels: {team: blue}", "taints: [{ky: a, effect: NoSchedule}]", "did you mean 'key'?"),
    ],
)
def test_unknown_keys_get_a_suggestion(old: str, new: str, hint: str) -> None:
    assert problem(old, new).hint == hint


@pytest.mark.parametrize(
    ("new", "shown"),
    [("count: [1]", "a list"), ("count: {a: 1}", "a mapping"), ("count: true", "true"), ("count:", "nothing")],
)
def test_what_was_found_is_said_in_words(new: str, shown: str) -> None:
    assert problem("count: 2", new).message.endswith(f"found {shown}")


def test_what_is_long_is_cut() -> None:
    assert problem("count: 2", f"count: {'x' * 500}").message.endswith("xxx...")


def test_a_number_without_end_is_refused_and_not_printed() -> None:
    found = problem("count: 2", f"count: 0x{'f' * 5000}")
    assert found.path == "spec.nodeGroups.0.count"
    assert len(str(found)) < 200


def test_a_machines_name_must_fit_a_host_name() -> None:
    found = problem("name: worker", f"name: {'w' * 40}\n      labels: {{}}")
    assert "labels" in found.path  # there twice: the example has its own
    with pytest.raises(Invalid) as caught:
        desired(("name: demo", f"name: {'d' * 40}"), ("name: worker", f"name: {'w' * 30}"))
    assert any(p.path == "spec.nodeGroups.0.name" and "63 characters" in p.message for p in caught.value.problems)


def test_however_many_mistakes_there_are_the_first_are_told() -> None:
    with pytest.raises(Invalid) as caught:
        desired(("  access:\n", "  x0: 1\n" + "".join(f"  x{n}: 1\n" for n in range(1, 1000)) + "  access:\n"))
    assert len(caught.value.problems) == 41
    assert sum("960 more mistakes" in problem.message for problem in caught.value.problems) == 1
    with pytest.raises(Invalid) as caught:
        desired(("  access:\n", "".join(f"  x{n}: 1\n" for n in range(20_000)) + "  access:\n"))
    (problem,) = caught.value.problems
    assert problem.message == "has 20000 mistakes"


def test_a_long_unknown_key_is_cut() -> None:
    found = problem("  access:", f"  ? {'k' * 10_000}\n  : 1\n  access:")
    assert len(str(found)) < 300
