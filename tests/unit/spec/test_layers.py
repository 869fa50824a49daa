"""What the fleet gives a cluster, where each value is from, and where a mistake is told."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import resolved
from reconciler.spec.layers import Origin
from reconciler.spec.load import FLEET, DesiredCluster, load
from reconciler.spec.yaml import parse
from tests.unit.examples import CLUSTER, FILE

HEAD = "apiVersion: research.moc/v1alpha1\nkind: Fleet\nmetadata: {name: moc}\nspec:\n"
# without what the fleet gives here
OWN = CLUSTER.replace("  image: ubuntu-24.04\n", "").replace("    externalNetwork: public\n", "")
DEFAULTS = "  defaults:\n    image: debian-12\n    network: {externalNetwork: outside, dnsServers: [1.1.1.1]}\n"


def loaded(fleet: str, cluster: str = OWN) -> DesiredCluster:
    (found,) = load({FILE: cluster.encode(), FLEET: (HEAD + fleet).encode()}, lambda _: True)
    return found


def problems(fleet: str, cluster: str = CLUSTER) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        loaded(fleet, cluster)
    return caught.value.problems


def test_a_cluster_says_what_differs() -> None:
    spec = loaded(DEFAULTS, OWN.replace("    cidr: 10.20", "    dnsServers: [9.9.9.9]\n    cidr: 10.20")).cluster.spec
    assert (spec.image, spec.network.external_network, spec.network.cidr) == ("debian-12", "outside", "10.20.0.0/24")
    assert spec.network.dns_servers == ("9.9.9.9",)  # a list is replaced whole


def test_every_value_knows_where_it_is_from() -> None:
    found = loaded(DEFAULTS + "  policy:\n    ignore: [{resource: server x}]\n", OWN)
    assert found.origin(("spec", "image")) == Origin("fleet", FLEET, 6)
    assert found.origin(("spec", "cloud")) == Origin("cluster", FILE, 6)
    assert found.origin(("spec", "suspend")) == Origin("built-in")
    assert found.origin(("spec", "ignore", 0, "resource")) == Origin("fleet", FLEET, 9)
    assert found.origin(("spec", "controlPlane", "image")) == Origin("built-in")


def test_what_is_missing_in_both_is_missing() -> None:
    (found,) = problems(
        "  defaults: {}\n", OWN.replace("    cidr: 10.20.0.0/24\n", "    dnsServers: []\n") + "  image: a\n"
    )
    assert (found.file, found.path) == (FILE, "spec.network.externalNetwork")


@pytest.mark.parametrize(
    ("fleet", "path", "message"),
    [
        ("  defaults:\n    imgae: a\n", "spec.defaults.imgae", "unknown key"),
        ("  defaults:\n    network: {dnsServers: 1}\n", "spec.defaults.network.dnsServers", "expected a list"),
        (
            "  defaults:\n    guards: {maxDeletions: x}\n",
            "spec.defaults.guards.maxDeletions",
            "expected a whole number",
        ),
        ("  polciy: {}\n", "spec.polciy", "unknown key"),
        (
            "  policy:\n    freezes: [{from: 2026-12-01, until: 2026-11-01}]\n",
            "spec.policy.freezes.0.until",
            "not after",
        ),
    ],
)
def test_a_mistake_of_the_fleet_is_told_there_and_once(fleet: str, path: str, message: str) -> None:
    (found,) = problems(fleet)
    assert (found.file, found.path) == (FLEET, path)
    assert message in found.message
    assert found.line >= 5


def test_a_default_that_only_the_whole_shows_to_be_wrong_is_told_where_it_stands() -> None:
    (found,) = problems("  defaults:\n    kubernetes: {podCidr: 10.233.0.0/17}\n")
    assert (found.file, found.line) == (FLEET, 6)
    assert "overlaps" in found.message


def test_a_guard_is_not_raised_over_the_ceiling() -> None:
    fleet = "  policy:\n    guards: {maxDeletions: 10}\n"
    (found,) = problems(fleet, CLUSTER + "  guards: {maxDeletions: 11}\n")
    assert (found.file, found.path) == (FILE, "spec.guards.maxDeletions")
    assert "10" in found.message
    assert loaded(fleet, CLUSTER + "  guards: {maxDeletions: 10}\n").cluster.spec.guards.max_deletions == 10


def test_policy_holds_besides_the_clusters_own() -> None:
    fleet = "  policy:\n    ignore: [{resource: server b}]\n    freezes: [{from: 2026-12-01, until: 2026-12-02}]\n"
    spec = loaded(fleet, CLUSTER + "  ignore: [{resource: server a}]\n").cluster.spec
    assert [rule.resource for rule in spec.ignore] == ["server a", "server b"]
    assert [freeze.until for freeze in spec.maintenance.freezes] == ["2026-12-02"]


def test_beside_the_clusters_there_is_only_the_fleet() -> None:
    with pytest.raises(Invalid) as caught:
        load({FILE: CLUSTER.encode(), "desired/flet.yaml": b"a: 1\n"}, lambda _: True)
    assert caught.value.problems[0].file == "desired/flet.yaml"


def test_what_is_shown_is_yaml_that_says_the_same() -> None:
    odd = CLUSTER + "  kubernetes2: {}\n".replace("kubernetes2: {}", "ignore: [{resource: 'a: b', reason: 'no'}]")
    found = loaded(
        DEFAULTS,
        odd.replace(
            'version: "1.36.3"',
            "version: \"1.36.3\"\n    variables: {a: '010', b: [1, {c: ''}], d: 1.5, e: true, f: '1e3'}",
        ),
    )
    text = "\n".join(line.text for line in resolved.lines(found))
    (again,) = load({FILE: text.encode()}, lambda _: True)
    assert again.cluster == found.cluster
    assert parse("x", text.encode())


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    found = loaded("  defaults: {}\n", CLUSTER + "    variables: {registry_password: '${x}', a: b}\n")
    assert resolved.value(found)["spec"]["kubernetes"]["variables"] == {"registry_password": "(hidden)", "a": "b"}
