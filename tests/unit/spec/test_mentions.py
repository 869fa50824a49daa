"""Who wants what of another cluster, by the text of applications alone."""

from __future__ import annotations

from reconciler.spec import wiring
from reconciler.spec.mentions import dependents, mentions, wanted_of
from tests.unit.examples import application
from tests.unit.spec.test_wiring import OTHER, TWO, fleet


def test_it_says_what_the_loaded_clusters_say() -> None:
    lines = ("  A: ${cluster.sid.api.endpoint}", "  B: x ${cluster.sid.services.sid.backend.address} ${cluster.name}")
    said = mentions(
        {TWO: application("two", "env:", *lines).encode(), OTHER: b"", "manifests/x.yaml": b"${cluster.a.name}"}
    )
    assert wanted_of("sid", said) == wiring.wanted(fleet(*lines), "sid")
    assert dependents("sid", said) == {"demo"}
    assert dependents("demo", said) == frozenset()
    assert wanted_of("demo", said) == frozenset()


def test_text_that_is_no_yaml_disturbs_nobody() -> None:
    texts = (b"\xff${cluster.sid.name}: [", b"${cluster.sid.name", b"${cluster.}${cluster.sid}${cluster..name}", b"")
    said = [mentions({TWO: text}) for text in texts]
    assert [dependents("sid", one) for one in said] == [{"demo"}, frozenset(), frozenset(), frozenset()]
