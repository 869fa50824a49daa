"""Who is believed, and what a believed delivery says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from reconciler.serve.webhook import Delivery, Kind, Malformed, concerns, delivery, genuine, name_of

SECRET = b"a secret that only the forge knows"
BODY = json.dumps({"ref": "refs/heads/main", "after": "f" * 40}).encode()
HUB = {"x-hub-signature-256": "sha256=" + hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()}
MAIN = "refs/heads/main"
KEY = bytes(range(32))
SIGNING_TOKEN = b"whsec_" + base64.b64encode(KEY)


def standard(body: bytes = BODY, key: bytes = KEY, stamp: str = "1795579034") -> dict[str, str]:
    digest = hmac.new(key, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_github_s_own_example_is_genuine() -> None:
    """From its documentation, "Validating webhook deliveries"."""
    told = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert genuine(told, b"Hello, World!", b"It's a Secret to Everybody")


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        (HUB, SECRET),
        ({"x-gitlab-token": SECRET.decode()}, SECRET),
        (standard(), SIGNING_TOKEN),
        ({**standard(), "webhook-signature": "v1,AAAA " + standard()["webhook-signature"]}, SIGNING_TOKEN),
    ],
)
def test_a_signature_of_each_forge_is_genuine(headers: dict[str, str], secret: bytes) -> None:
    assert genuine(headers, BODY, secret)
    assert not genuine(headers, BODY, b"another secret")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha1=" + hmac.new(SECRET, BODY, hashlib.sha1).hexdigest()},
        {"x-hub-signature-256": HUB["x-hub-signature-256"][:-1]},
        {"x-hub-signature-256": HUB["x-hub-signature-256"] + "0"},
        {"x-hub-signature-256": "ß\udcff" * 100},
        {"x-gitlab-token": ""},
        {"x-gitlab-token": SECRET.decode() + " "},
        {"webhook-signature": "v1,"},
        {"webhook-signature": " " * 10_000},
        standard(key=b"x" * 32),
        {**standard(key=b"x" * 32), "webhook-id": "\udcff"},
        {**standard(key=b"x" * 32), "webhook-timestamp": "\udcff"},
        {**standard(key=b"x" * 32), "webhook-signature": "\udcff"},
    ],
)
def test_any_other_signature_is_not(headers: dict[str, str]) -> None:
    assert not genuine(headers, BODY, SECRET)


def test_a_genuine_signature_is_of_the_whole_body() -> None:
    assert not genuine(HUB, BODY + b" ", SECRET)
    assert not genuine(standard(), BODY[:-1], SIGNING_TOKEN)


def test_nobody_is_believed_without_a_secret() -> None:
    empty = {"x-hub-signature-256": "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest(), "x-gitlab-token": ""}
    assert not genuine(empty, BODY, b"")


@pytest.mark.parametrize("headers", [HUB, {}, {"x-hub-signature-256": "?"}, {"x-gitlab-token": "no"}])
def test_the_same_is_computed_whatever_the_signature_looks_like(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No way out before all of the body was hashed and all comparisons were made in constant time."""
    hashed, compared = [], []

    def new(key: bytes, body: bytes, *rest: Any) -> Any:
        hashed.append(len(body))
        return original(key, body, *rest)

    def same(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    original = hmac.new
    monkeypatch.setattr(hmac, "new", new)
    monkeypatch.setattr(hmac, "compare_digest", same)
    genuine(headers, BODY, SECRET)
    assert hashed == [len(BODY), len(BODY) + 2]
    assert compared == [(32, 32)] * 6


@pytest.mark.parametrize(
    ("event", "document", "said"),
    [
        ({"x-github-event": "ping"}, {}, Delivery(Kind.PING)),
        ({"x-github-event": "push"}, {"ref": MAIN, "after": "abc"}, Delivery(Kind.PUSH, MAIN, "abc")),
        ({"x-github-event": "push"}, {"ref": "refs/tags/v1"}, Delivery(Kind.PUSH, "refs/tags/v1")),
        ({"x-github-event": "issues"}, {"action": "opened"}, Delivery(Kind.OTHER)),
        ({"x-gitlab-event": "Push Hook"}, {"ref": MAIN, "after": "abc"}, Delivery(Kind.PUSH, MAIN, "abc")),
        ({"x-gitlab-event": "Tag Push Hook"}, {"ref": "refs/tags/v1"}, Delivery(Kind.PUSH, "refs/tags/v1")),
        ({"x-gitlab-event": "System Hook"}, {"event_name": "push", "ref": MAIN}, Delivery(Kind.PUSH, MAIN)),
        ({"x-gitlab-event": "System Hook"}, {"event_name": "user_create"}, Delivery(Kind.OTHER)),
        ({"x-gitlab-event": "Pipeline Hook"}, {"object_kind": "pipeline"}, Delivery(Kind.OTHER)),
        ({}, {"ref": "refs/heads/main"}, Delivery(Kind.OTHER)),
    ],
)  # fmt: skip
def test_what_a_delivery_says(event: dict[str, str], document: dict[str, Any], said: Delivery) -> None:
    assert delivery(event, json.dumps(document).encode()) == said


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"refs/heads/main"', b"\xff\xfe", b"[" * 100_000, b"{}", b'{"ref": 3}',
     b'{"ref": "main"}', b'{"ref": "refs/heads/main", "after": {}}'],
)  # fmt: skip
def test_a_malformed_one_is_told_apart_whatever_it_is(body: bytes) -> None:
    with pytest.raises(Malformed):
        delivery({"x-github-event": "push"}, body)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/Lab/Clusters.git", "lab/clusters"),
        ("https://user:word@forge.example.org:8443/git/lab/clusters/", "git/lab/clusters"),
        ("ssh://git@forge.example.org:2222/lab/clusters.git", "lab/clusters"),
        ("git@forge.example.org:group/sub/clusters.git", "group/sub/clusters"),
        ("/srv/git/clusters.git", ""),
        ("../clusters.git", ""),
        ("file:///srv/git/clusters.git", ""),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_a_forge_names_a_repository_by_its_path(address: str, name: str) -> None:
    assert name_of(address) == name


def test_a_push_is_to_ours_as_far_as_both_are_known() -> None:
    assert concerns({"lab/clusters"}, "lab/clusters")
    assert concerns({"lab/clusters"}, "git/lab/clusters")
    assert concerns({"git/lab/clusters"}, "lab/clusters")
    assert concerns((), "lab/clusters")
    assert concerns({"lab/clusters"}, "")
    assert not concerns({"lab/clusters"}, "other/clusters")
    assert not concerns({"clusters"}, "lab/clusters")
    assert not concerns({"slab/clusters"}, "lab/clusters")


@pytest.mark.parametrize(
    ("about", "names"),
    [
        ({"repository": {"full_name": "Lab/A", "clone_url": "https://f/lab/a.git", "name": "a"}}, {"lab/a"}),
        ({"project": {"path_with_namespace": "g/s/a", "git_ssh_url": "git@f:g/s/a.git", "id": 1}}, {"g/s/a"}),
        ({"repository": "lab/a", "project": [1]}, set()),
        ({"repository": {"full_name": "x" * 5000, "clone_url": 7}}, set()),
    ],
)
def test_a_delivery_says_which_repository(about: dict[str, Any], names: set[str]) -> None:
    body = json.dumps({"ref": MAIN, "after": "f" * 40, **about}).encode()
    assert delivery({"x-github-event": "push"}, body).names == names
