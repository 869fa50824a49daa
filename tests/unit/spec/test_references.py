"""Flavors, images and networks that the cloud does not have; and what was not listed is not judged."""

from __future__ import annotations

from reconciler.errors import Problem
from reconciler.model.resource import Kinds, Known, Listing, Resource, Unknown
from reconciler.spec import references
from tests.unit.examples import CLUSTER, FILE, desired


def named(kind: str, *names: str) -> Known:
    return Known(tuple(Resource(kind, name) for name in names))


FLAVORS, IMAGES = named("flavor", "m1.medium", "m1.large"), named("image", "ubuntu-24.04")
NETWORKS, TYPES = named("network", "public"), named("volume_type", "ssd")


def check(
    *changes: tuple[str, str],
    flavors: Listing = FLAVORS,
    images: Listing = IMAGES,
    networks: Listing = NETWORKS,
    kinds: Kinds | None = None,
) -> list[Problem]:
    return references.check(
        desired(*changes)[0], flavors=flavors, images=images, networks=networks, volume_types=TYPES, kinds=kinds
    )


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(CLUSTER.splitlines(), 1) if text in line)


def test_what_is_there_is_fine() -> None:
    assert check() == []


def test_a_flavor_that_is_not_there() -> None:
    (problem,) = check(("flavor: m1.large", "flavor: m1.lagre"))
    assert (problem.file, problem.line, problem.path) == (FILE, line_of("m1.large"), "spec.nodeGroups.0.flavor")
    assert problem.message == "cloud 'sandbox' has no flavor 'm1.lagre'"
    assert problem.hint == "did you mean 'm1.large'?"


def test_every_mistake_is_named() -> None:
    found = check(
        ("image: ubuntu-24.04", "image: windows"),
        ("externalNetwork: public", "externalNetwork: internet"),
        ("flavor: m1.medium", "flavor: huge\n    image: bsd"),
    )
    assert [p.path for p in found] == [
        "spec.image",
        "spec.network.externalNetwork",
        "spec.controlPlane.flavor",
        "spec.controlPlane.image",
    ]
    assert found[0].hint == "images it has: ubuntu-24.04"


def test_a_volume_type_that_is_not_there() -> None:
    assert check(("flavor: m1.large", "flavor: m1.large\n      bootVolume: {size: 20, type: ssd}")) == []
    (problem,) = check(("flavor: m1.large", "flavor: m1.large\n      bootVolume: {size: 20, type: sdd}"))
    assert (problem.path, problem.hint) == ("spec.nodeGroups.0.bootVolume.type", "did you mean 'ssd'?")


def test_a_range_that_is_not_the_subnets() -> None:
    theirs = Known((Resource("subnet", "theirs", {"cidr": "10.9.0.0/24"}),))
    kinds = {"subnet": theirs, "network": named("network", "public")}
    for said, wrong in (("10.9.0.0/24", False), ("10.8.0.0/24", True)):
        existing = f"existing: {{network: public, subnet: theirs, cidr: {said}}}"
        found = check(("cidr: 10.20.0.0/24", existing), kinds=kinds)
        assert [p.path for p in found] == ["spec.network.existing.cidr"] * wrong


def test_a_cloud_that_has_none_says_so() -> None:
    (problem,) = check(networks=named("network"))
    assert "it has no networks at all" in (problem.hint or "")


def test_what_could_not_be_listed_is_not_judged() -> None:
    silent = Unknown("does not answer")
    assert check(("flavor: m1.large", "flavor: nonsense"), flavors=silent, images=silent, networks=silent) == []
