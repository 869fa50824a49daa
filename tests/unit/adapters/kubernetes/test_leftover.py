"""What may stand in the way of a manifest, from the fields that a server names; and the books that let it go."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.adapters.kubernetes.amounts import same_amount
from reconciler.adapters.kubernetes.fields import differing_as_asked
from reconciler.adapters.kubernetes.leftover import claiming, guesses, without


def web(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    made = {"name": "web", **container}
    return {
        "apiVersion": "apps/v1",
        "metadata": {"name": "x"},
        "spec": {"template": {"spec": {"containers": [made]}}, **(spec or {})},
    }


ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}
WEB = "spec.template.spec.containers[web]"
AT = "spec.template.spec.containers[0]"


def guessed(git: dict[str, Any], live: dict[str, Any], *fields: str) -> list[set[str]]:
    return [{one.path for one in guess} for guess in guesses(git, live, fields)]


def test_a_member_that_the_server_names_and_git_has_not() -> None:
    git, live = web({"strategy": {"type": "Recreate"}}), web({"strategy": ROLLING})
    assert guessed(git, live, "spec.strategy.rollingUpdate") == [{"spec.strategy.rollingUpdate"}]
    assert guessed(git, live, "spec.strategy.rollingUpdate.maxSurge") == [{"spec.strategy.rollingUpdate"}]


def test_members_beside_one_that_the_server_names_those_that_hold_something_first() -> None:
    git = web(livenessProbe={"tcpSocket": {"port": 1}})
    live = web(livenessProbe={"exec": {"command": ["x"]}, "periodSeconds": 10})
    probe = f"{WEB}.livenessProbe"
    expected = [{f"{probe}.exec"}, {f"{probe}.exec", f"{probe}.periodSeconds"}]
    assert guessed(git, live, f"{AT}.livenessProbe.tcpSocket") == expected


def test_members_of_what_the_server_names_as_a_whole() -> None:
    git, live = web({"mode": {"fixed": {}}}), web({"mode": {"auto": {"size": 1}, "fixed": {}}})
    assert {"spec.mode.auto"} in guessed(git, live, "spec.mode")


@pytest.mark.parametrize("field", ["", "nowhere", "spec[", "spec..x", "spec.template.spec.containers[7].x[y", "]][["])
def test_any_text_may_stand_where_a_field_should(field: str) -> None:
    assert all(path.startswith("spec") for guess in guessed(web(), web({"a": {}}), field) for path in guess)


def test_a_patch_takes_them_away_and_leaves_the_manifest() -> None:
    git = web({"strategy": {"type": "Recreate"}})
    (guess,) = guesses(git, web({"strategy": ROLLING}), ["spec.strategy.rollingUpdate"])
    before = copy.deepcopy(git)
    assert without(git, list(guess))["spec"]["strategy"] == {"type": "Recreate", "rollingUpdate": None}
    assert git == before


def entry(manager: str, fields: dict[str, Any], how: str) -> dict[str, Any]:
    return {"manager": manager, "operation": how, "fieldsV1": {"f:spec": fields}}


def containers(**fields: Any) -> dict[str, Any]:
    item = {'k:{"name":"web"}': {".": {}, "f:name": {}, **fields}}
    return {"f:template": {"f:spec": {"f:containers": item}}}


def test_what_has_to_go_is_ours_and_nobody_elses() -> None:
    git = web(livenessProbe={"tcpSocket": {"port": 1}})
    live = web(livenessProbe={"exec": {"command": ["x"]}})
    theirs: dict[str, Any] = {"f:livenessProbe": {".": {}, "f:exec": {".": {}, "f:command": {}}}}
    live["metadata"]["managedFields"] = [
        entry("reconciler", containers(), "Apply"),
        entry("kubectl-patch", {**containers(**theirs), "f:replicas": {}}, "Update"),
    ]
    guess = next(guesses(git, live, [f"{AT}.livenessProbe.tcpSocket"]))
    books = claiming(live, list(guess), "reconciler", "apps/v1")
    assert books is not None
    mine, other = books
    item = mine["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert item["f:livenessProbe"] == {"f:exec": {}}
    assert "f:exec" not in str(other)
    assert "f:replicas" in other["fieldsV1"]["f:spec"], "the rest stays theirs"


def test_who_never_applied_gets_an_entry_and_who_owns_nothing_more_loses_it() -> None:
    git, live = web({"strategy": {"type": "Recreate"}}), web({"strategy": ROLLING})
    live["metadata"]["managedFields"] = [entry("k", {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}, "Update")]
    (guess,) = guesses(git, live, ["spec.strategy.rollingUpdate"])
    (mine,) = claiming(live, list(guess), "reconciler", "apps/v1") or []
    assert (mine["manager"], mine["operation"], mine["apiVersion"]) == ("reconciler", "Apply", "apps/v1")
    assert mine["fieldsV1"] == {"f:spec": {"f:strategy": {"f:rollingUpdate": {}}}}


def test_what_the_books_know_no_place_for_is_not_claimed() -> None:
    git, live = web(livenessProbe={"tcpSocket": {}}), web(livenessProbe={"exec": {}})
    live["metadata"]["managedFields"] = []
    guess = next(guesses(git, live, [f"{AT}.livenessProbe.tcpSocket"]))
    assert claiming(live, list(guess), "reconciler", "apps/v1") is None


@pytest.mark.parametrize(
    ("path", "one", "other", "same"),
    [
        ("spec.containers[web].resources.limits.cpu", "1000m", "1", True),
        ("spec.containers[web].resources.limits.cpu", 1, "1", True),
        ("spec.containers[web].resources.requests.memory", "1024Mi", "1Gi", True),
        ("spec.containers[web].resources.limits.nvidia.com/gpu", "1", 1, True),
        ("spec.hard.requests.storage", "1024Gi", "1Ti", True),
        ("spec.volumes[v].emptyDir.sizeLimit", "0.5Gi", "512Mi", True),
        ("spec.containers[web].resources.limits.cpu", "2", "1", False),
        ("spec.containers[web].resources.limits.cpu", "much", "1", False),
        ("spec.containers[web].env[A].value", "1000m", "1", False),
        ("data.limit", "1000m", "1", False),
        ("spec.containers[web].resources.limits.cpu", True, 1, False),
    ],
)
def test_amounts_are_one_where_they_are_amounts(path: str, one: Any, other: Any, same: bool) -> None:
    assert same_amount(path, one, other) is same


def test_a_refused_manifest_is_compared_as_the_server_spells_it() -> None:
    git, spelled = {"spec": {"a": "1h", "b": "x"}}, {"spec": {"a": "60m", "b": "x", "c": "default"}}
    assert differing_as_asked(git, {"spec": {"a": "60m", "b": "y"}}, spelled) == ({"spec.b": "x"}, {"spec.b": "y"})
