"""What is read of a cluster's outputs where it is live, and what is remembered of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, cast

import pytest

from reconciler.control.outputs import gathered, text
from reconciler.model.resource import Known, Resource, Unknown
from reconciler.spec.wiring import Output, Outputs
from tests.unit.examples import desired

(DEMO,) = desired()
SERVERS = Known(
    tuple(
        Resource("server", name, {"address": address, "fixed_ip": fixed})
        for name, address, fixed in (
            ("a-inside", "10.20.0.4", "10.20.0.4"),
            ("c-outside", "203.0.113.7", "10.20.0.5"),
            ("b-outside", "203.0.113.8", "10.20.0.6"),
        )
    )
)
NODE_PORT = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
BALANCED = {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]}


def known(
    kind: str, field: str, obj: object, *, servers: Any = SERVERS, before: Mapping[Output, str] | None = None
) -> Outputs:
    """What is known of one output whose object is `obj`."""
    output = Output("demo", kind, "sid/backend", field)
    found = cast(Any, {(kind, "sid/backend"): obj})
    return gathered(DEMO, [output], found, endpoint=None, servers=servers, before=before or {})


def of(spec: object = None, status: object = None, **rest: object) -> dict[str, Any]:
    return {"metadata": {"name": "backend", "uid": "u", "resourceVersion": "7"}, "spec": spec, "status": status} | rest


def ways_in(*entries: object) -> object:
    return {"loadBalancer": {"ingress": list(entries)}}


@pytest.mark.parametrize(
    ("kind", "field", "obj", "value"),
    [
        ("services", "address", of(BALANCED, ways_in({"ip": "198.51.100.7"})), "198.51.100.7"),
        ("services", "address", of(BALANCED, ways_in({}, {"hostname": "lb.example.org"})), "lb.example.org"),
        ("services", "address", of(BALANCED), None),
        ("services", "port", of(BALANCED), "80"),
        ("services", "address", of(NODE_PORT), "203.0.113.8"),  # outside first, then by name
        ("services", "port", of(NODE_PORT), "30080"),
        ("services", "port", of({"type": "NodePort"}), None),
        # the type git asks for now is not there yet
        ("services", "address", of({"ports": [{"port": 80}]}), None),
        ("services", "address", of({"type": "ClusterIP", "ports": [{"port": 80}]}), None),
        ("services", "port", of({"type": "ClusterIP", "ports": [{"port": 80}]}), None),
        ("services", "address", None, None),
        ("ingresses", "address", of(status=ways_in({"ip": "198.51.100.9"})), "198.51.100.9"),
        ("ingresses", "host", of({"rules": [{}, {"host": "sid.example.org"}]}), "sid.example.org"),
        ("ingresses", "host", of(), None),
    ],
)
def test_an_output_is_what_is_live(kind: str, field: str, obj: object, value: str | None) -> None:
    found = known(kind, field, obj)
    output = Output("demo", kind, "sid/backend", field)
    assert found.values.get(output) == value
    assert found.why == ({} if value else {output: "which is not there yet"})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"key": base64.b64encode(b"s3cret").decode()}, "s3cret"),
        ({"other": "eA=="}, None),
        ({"key": "no base64"}, None),
    ],
)
def test_a_secret_is_sealed_and_never_recorded(data: Mapping[str, str], value: str | None) -> None:
    found = known("secrets", "key", of(data=data))
    assert [s.value for s in found.sealed.values()] == ([value] if value else [])
    assert found.values == {}
    assert "s3cret" not in repr(found) + text(found, "demo")


def test_what_is_gone_for_the_moment_or_unseen_is_what_was_believed_last() -> None:
    before = {Output("demo", "services", "sid/backend", "address"): "203.0.113.8"}
    unseen = Unknown("nobody answers")
    for obj, servers in ((None, SERVERS), (of(NODE_PORT), unseen), (of(BALANCED), SERVERS), (unseen, SERVERS)):
        kept = known("services", "address", obj, servers=servers, before=before)
        assert list(kept.values.values()) == ["203.0.113.8"]
        assert kept.why == {}


@pytest.mark.parametrize(
    ("kind", "field", "obj"),
    [
        ("services", "address", of(BALANCED, ways_in({"hostname": "x/../y"}))),
        ("services", "address", of(BALANCED, ways_in({"ip": "198.51.100.7\nX-Evil: 1"}))),
        ("services", "port", of({"type": "LoadBalancer", "ports": [{"port": "80;rm"}]})),
        ("ingresses", "host", of({"rules": [{"host": "\u202esid.example.org"}]})),
    ],
)
def test_a_live_value_of_another_type_is_none(kind: str, field: str, obj: object) -> None:
    found = known(kind, field, obj)
    (why,) = found.why.values()
    assert found.values == {}
    assert why.startswith("which can't be seen: what is there is n")


def test_what_was_never_seen_says_why() -> None:
    assert list(known("services", "address", Unknown("nobody answers")).why.values()) == [
        "which can't be seen: nobody answers"
    ]
