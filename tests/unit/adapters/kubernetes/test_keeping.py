"""What a rule leaves to others stays as it is live, also where the server replaces the whole of it."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest

from reconciler.adapters.kubernetes.connection import Connection
from reconciler.adapters.kubernetes.keeping import keeping, kept
from reconciler.adapters.kubernetes.kinds import Discovery
from reconciler.errors import Permanent
from reconciler.model.resource import Key


def entry(manager: str, fields: dict[str, Any], how: str = "Apply") -> dict[str, Any]:
    return {"manager": manager, "operation": how, "fieldsV1": fields}


def policy(*ports: dict[str, Any], cidr: str = "192.0.2.0/24") -> dict[str, Any]:
    ingress = [{"from": [{"ipBlock": {"cidr": cidr}}], "ports": list(ports)}]
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": "field"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": ingress},
    }


def live(obj: dict[str, Any], *books: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(obj)
    made["metadata"]["managedFields"] = list(books)
    return made


BY_HAND = entry("kubectl-patch", {"f:spec": {"f:ingress": {}}}, "Update")
PORT = "spec.ingress[0].ports[0].port"


def test_a_field_of_what_is_replaced_as_a_whole_is_sent_as_it_is_live() -> None:
    git, there = policy({"protocol": "TCP", "port": 8000}), policy({"protocol": "TCP", "port": 8888})
    assert keeping(git, live(there, BY_HAND), {PORT}, "reconciler") == there


def test_what_git_changes_beside_it_is_as_git_says() -> None:
    git = policy({"protocol": "UDP", "port": 8000}, cidr="198.51.100.0/24")
    there = policy({"protocol": "TCP", "port": 8888})
    wanted = policy({"protocol": "UDP", "port": 8888}, cidr="198.51.100.0/24")
    assert keeping(git, live(there, BY_HAND), {PORT}, "reconciler") == wanted


@pytest.mark.parametrize("cut", [{PORT}, {PORT, "spec.ingress[0].from[0].ipBlock.cidr"}])
def test_an_item_that_is_only_in_git_opens_nothing(cut: set[str]) -> None:
    """Without its port it would let in everything."""
    git = policy({"protocol": "TCP", "port": 8000})
    there = policy({"protocol": "TCP", "port": 8888})
    there["spec"]["ingress"] = []
    assert keeping(git, live(there, BY_HAND), cut, "reconciler")["spec"]["ingress"] == git["spec"]["ingress"]


def test_a_field_that_was_taken_off_stays_off() -> None:
    git, there = policy({"protocol": "TCP", "port": 8000}), policy({"protocol": "TCP"})
    assert keeping(git, live(there, BY_HAND), {PORT}, "reconciler") == there


def test_an_item_more_stays_where_all_of_it_is_left_alone_and_goes_else() -> None:
    port = {"protocol": "TCP", "port": 8000}
    git, there = policy(port), policy(port, {"protocol": "TCP", "port": 1})
    both = {"spec.ingress[0].ports[1].port", "spec.ingress[0].ports[1].protocol"}
    assert keeping(git, live(there, BY_HAND), both, "reconciler") == there
    assert keeping(git, live(there, BY_HAND), {"spec.ingress[0].ports[1].port"}, "reconciler") == git


def test_a_mapping_that_is_replaced_as_a_whole_counts_like_a_list() -> None:
    git, there = policy(), policy()
    there["spec"]["podSelector"]["matchLabels"] = {"app": "other", "tier": "x"}
    books = entry("kubectl-edit", {"f:spec": {"f:podSelector": {}}}, "Update")
    fields = {"spec.podSelector.matchLabels.app", "spec.podSelector.matchLabels.tier"}
    sent = keeping(git, live(there, books), fields, "reconciler")
    assert sent["spec"]["podSelector"]["matchLabels"] == {"app": "other", "tier": "x"}


def web(image: str, **more: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": image, **more}]
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "field"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
    }


def image_of(manager: str, how: str = "Update") -> dict[str, Any]:
    item: dict[str, Any] = {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}
    return entry(manager, {"f:spec": {"f:template": {"f:spec": {"f:containers": item}}}}, how)


IMAGE = "spec.template.spec.containers[web].image"


def test_what_somebody_else_owns_by_itself_is_not_sent() -> None:
    """To send it would make it ours as well, and theirs to fight for."""
    sent = keeping(web("a"), live(web("b"), image_of("image-trigger")), {IMAGE}, "reconciler")
    assert sent["spec"]["template"]["spec"]["containers"] == [{"name": "web"}]


def test_what_only_we_own_is_sent_or_the_server_would_take_it_away() -> None:
    """git says another image, and a rule leaves the live one alone."""
    books = image_of("reconciler", "Apply"), entry("reconciler", {"f:spec": {"f:replicas": {}}})
    sent = keeping(
        web("a"), live(web("b") | {"spec": web("b")["spec"] | {"replicas": 5}}, *books), {IMAGE}, "reconciler"
    )
    assert sent["spec"]["template"]["spec"]["containers"] == [{"name": "web", "image": "b"}]
    assert sent["spec"]["replicas"] == 2


def test_a_field_that_git_no_longer_names_stays_when_only_we_own_it() -> None:
    books = entry("reconciler", {"f:spec": {"f:replicas": {}}})
    git = web("a")
    del git["spec"]["replicas"]
    assert keeping(git, live(web("a"), books), {"spec.replicas"}, "reconciler")["spec"]["replicas"] == 2


def test_a_secrets_text_is_found_under_the_name_of_its_data() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "1", "b": "2"}}
    there = live({**secret, "data": {"a": "eA==", "b": "Mg=="}}, entry("app", {"f:data": {"f:a": {}}}, "Update"))
    assert keeping(secret, there, {"data.a"}, "reconciler")["data"] == {"b": "Mg=="}


def test_nothing_of_the_input_is_changed() -> None:
    git, there = policy({"port": 1}), live(policy({"port": 2}), BY_HAND)
    before = copy.deepcopy((git, there))
    keeping(git, there, {PORT}, "reconciler")["spec"]["ingress"][0]["ports"][0]["port"] = 7
    assert (git, there) == before


def deep(levels: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for _ in range(levels):
        fields = {"f:a": fields}
    return fields


@pytest.mark.parametrize("books", [[entry("kubectl", deep(3000))], ["no entry"], "no list"])
def test_books_that_cant_be_read_are_no_reason_to_lose_what_is_ignored(books: Any) -> None:
    there = policy({"protocol": "TCP", "port": 8888})
    there["metadata"]["managedFields"] = books
    with pytest.raises(Permanent, match="managedFields"):
        keeping(policy({"protocol": "TCP", "port": 8000}), there, {PORT}, "reconciler")


def test_an_object_that_nests_without_end_is_named() -> None:
    wanted = policy({"protocol": "TCP", "port": 8000})
    there = live({**policy({"protocol": "TCP", "port": 8888}), "more": deep(10)}, BY_HAND)
    there["spec"]["ingress"][0]["ports"][0]["port"] = deep(3000)

    class Server:
        def get(self, path: str, **_: str) -> Any:
            kind = {"kind": "NetworkPolicy", "name": "networkpolicies", "namespaced": True}
            return there if path.endswith("/web") else {"resources": [kind]}

    asked = {**wanted, "apiVersion": "networking.k8s.io/v1"}
    connection = cast(Connection, Server())
    fields = {Key("NetworkPolicy", "field/web"): {PORT}}
    with pytest.raises(Permanent, match="NetworkPolicy field/web can't be applied with what is ignored of it"):
        kept(connection, Discovery(connection), [asked], fields, "reconciler")
