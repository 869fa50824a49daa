"""One component's output is another's input; a reference that leads nowhere is named at its line."""

from __future__ import annotations

from reconciler.spec import wiring
from reconciler.spec.load import DesiredCluster
from tests.unit.examples import desired

ONE = "desired/demo/applications/one.yaml"
TWO = "desired/demo/applications/two.yaml"


def application(name: str, *lines: str) -> str:
    head = (
        "apiVersion: research.moc/v1alpha1",
        "kind: Application",
        f"metadata: {{name: {name}}}",
        "spec:",
        "  target: moc",
        "  namespace: web",
        "  image: example.org/web:1",
    )
    return "\n".join((*head, *(f"  {line}" for line in lines))) + "\n"


def wired(*env: str) -> DesiredCluster:
    extra = {ONE: application("one", "host: one.example.org"), TWO: application("two", "env:", *env)}
    return desired(extra=extra)[0]


def test_references_are_replaced_wherever_they_stand() -> None:
    cluster = wired(
        "  A: ${cluster.name}", "  B: <${cluster.api.endpoint}/x> ${application.one.url}", "  C: plain $HOME"
    )
    known = wiring.outputs(cluster, "https://192.0.2.1:6443")
    assert wiring.wire(cluster.applications[1], known).spec.env == {
        "A": "demo",
        "B": "<https://192.0.2.1:6443/x> https://one.example.org",
        "C": "plain $HOME",
    }


def test_what_is_not_known_yet_says_so() -> None:
    cluster = wired("  A: ${cluster.api.endpoint}/x")
    made = wiring.wire(cluster.applications[1], wiring.outputs(cluster, None))
    assert made.spec.env == {"A": f"{wiring.LATER}/x"}
    assert cluster.applications[1].spec.env == {"A": "${cluster.api.endpoint}/x"}


def test_a_reference_to_nothing_is_named_at_its_line() -> None:
    cluster = wired("  A: ${cluster.name}", "  B: ${cluster.nmae} ${application.two.url}")
    first, second = wiring.check(cluster)
    assert (first.file, first.line, first.path) == (TWO, 10, "spec.env.B")
    assert first.message == "${cluster.nmae} refers to nothing"
    assert "cluster.api.endpoint" in (first.hint or "")
    assert "application.two.url" in second.message  # it has no host


def test_what_can_be_known_later_is_no_mistake() -> None:
    assert wiring.check(wired("  A: ${cluster.api.endpoint}")) == []
