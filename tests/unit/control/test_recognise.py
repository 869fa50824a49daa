"""A live resource is ours by its tag or by its id, whatever somebody calls it now."""

from __future__ import annotations

from reconciler.control.recognise import recognised
from reconciler.model.naming import IN_STATE
from reconciler.model.resource import Known, Listing, Resource, Unknown
from reconciler.ports import Ids
from reconciler.spec.render.terraform import address
from tests.unit.examples import cluster

SERVER, PORT = address("server", "demo-worker-1"), address("port", "demo-worker-1")


def seen(*found: Resource, known: dict[str, str] | None) -> dict[str, Listing]:
    kinds: dict[str, Listing] = {}
    for kind in {r.kind for r in found}:
        kinds[kind] = Known(tuple(r for r in found if r.kind == kind))
    return recognised(cluster(), kinds, Ids(known) if known is not None else None)


def only(listing: Listing) -> Resource:
    assert isinstance(listing, Known)
    (found,) = listing.resources
    return found


def test_what_the_state_knows_by_its_id_keeps_gits_name() -> None:
    renamed = Resource("server", "other", {}, "1", "demo")
    found = only(seen(renamed, known={SERVER: "1"})["server"])
    assert (found.name, found.fields["name"], found.fields["in_state"]) == ("demo-worker-1", "other", True)


def test_what_lost_its_mark_is_still_ours() -> None:
    assert only(seen(Resource("server", "demo-worker-1", {}, "1", ""), known={SERVER: "1"})["server"]).owner == "demo"


def test_whose_tag_is_another_clusters_is_left_out() -> None:
    kinds = seen(Resource("server", "x", {}, "2", "other"), Resource("server", "y", {}, "3", "demo"), known={})
    assert only(kinds["server"]).name == "y"


def test_others_name_it_as_git_does() -> None:
    server = Resource("server", "other", {}, "1", "demo")
    port = Resource("port", "demo-worker-1", {"server": "other", "security_groups": ("other",)}, "2", "demo")
    found = only(seen(server, port, known={SERVER: "1", PORT: "2"})["port"])
    assert found.fields["server"] == "demo-worker-1"
    assert found.fields["security_groups"] == ("other",)  # a group of that name is something else


def test_without_a_state_nothing_is_said_against_anybody() -> None:
    assert only(seen(Resource("server", "x", {}, "1", "demo"), known=None)["server"]).fields["in_state"] is True
    assert only(seen(Resource("server", "x", {}, "1", "demo"), known={})["server"]).fields["in_state"] is False


def test_what_is_unknown_stays_unknown() -> None:
    assert recognised(cluster(), {"server": Unknown("no answer")}, Ids({SERVER: "1"}))["server"] == Unknown("no answer")


def test_what_a_cluster_has_none_of_may_stay_unknown() -> None:
    balancers = {"load_balancer": Unknown("no answer")}
    assert recognised(cluster(), balancers, Ids({})) == {}
    assert recognised(cluster(), balancers, Ids({address("load_balancer", "demo"): "1"})) == balancers
    wanted = cluster(("  nodeGroups:\n", "  apiLoadBalancer: {}\n  nodeGroups:\n"))
    assert recognised(wanted, balancers, Ids({})) == balancers


def test_a_state_that_others_share_says_nothing_against_anybody() -> None:
    """Another machine may have written what this one has not read yet."""
    seen = {"server": Known((Resource("server", "demo-worker-1", {}, "9", "demo"),))}
    (alone,) = recognised(cluster(), seen, Ids({SERVER: "1"}))["server"].resources  # type: ignore[union-attr]
    (shared,) = recognised(cluster(), seen, Ids({SERVER: "1"}, shared=True))["server"].resources  # type: ignore[union-attr]
    assert (alone.fields[IN_STATE], shared.fields[IN_STATE]) == (False, True)
