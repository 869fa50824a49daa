"""One component's output is another's input; a reference that leads nowhere, or in a circle, is named at its line."""

from __future__ import annotations

import pytest

from reconciler.spec import wiring
from reconciler.spec.load import DesiredCluster
from reconciler.spec.render.application import Held, Sealed
from reconciler.spec.wiring import Output, Outputs
from tests.unit.examples import CLUSTER, application, desired

ONE = "desired/demo/applications/one.yaml"
TWO = "desired/demo/applications/two.yaml"
OTHER = "desired/sid/cluster.yaml"
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "backend", "namespace": "sid"},
    "spec": {"type": "LoadBalancer"},
}
INSIDE = {"kind": "Service", "metadata": {"name": "database", "namespace": "sid"}}


def fleet(*env: str, one: tuple[str, ...] = ("host: one.example.org",)) -> tuple[DesiredCluster, ...]:
    """Two clusters: demo with the applications one and two, and sid. `env` is two's."""
    extra = {ONE: application("one", *one), TWO: application("two", "env:", *env)}
    return desired(extra={**extra, OTHER: CLUSTER.replace("name: demo", "name: sid", 1)})


def wired(*env: str) -> DesiredCluster:
    return fleet(*env)[0]


def values(**told: str) -> Outputs:
    return Outputs({output: told[output.path.replace(".", "_")] for output in OUTPUTS})


OUTPUTS = (Output("demo", "name"), Output("demo", "api", "", "endpoint"), Output("demo", "applications", "one", "url"))
KNOWN = values(name="demo", api_endpoint="https://192.0.2.1:6443", applications_one_url="https://one.example.org")


def env(cluster: DesiredCluster, known: Outputs) -> tuple[dict[str, str], str]:
    made = wiring.wire(cluster, cluster.applications[1], known)
    return made.app.spec.env, made.waits


def test_references_are_replaced_wherever_they_stand() -> None:
    cluster = wired(
        "  A: ${cluster.name}", "  B: <${cluster.api.endpoint}/x> ${application.one.url}", "  C: plain $HOME"
    )
    assert env(cluster, KNOWN) == (
        {"A": "demo", "B": "<https://192.0.2.1:6443/x> https://one.example.org", "C": "plain $HOME"},
        "",
    )


def test_what_is_not_known_yet_says_so_and_is_waited_for() -> None:
    cluster = wired("  A: ${cluster.api.endpoint}/x")
    made, waits = env(cluster, Outputs(why={OUTPUTS[1]: "which is not there yet"}))
    assert made == {"A": f"{wiring.LATER}/x"}
    assert waits == "${cluster.api.endpoint}, which is not there yet"
    assert cluster.applications[1].spec.env == {"A": "${cluster.api.endpoint}/x"}


@pytest.mark.parametrize(
    ("reference", "output"),
    [
        ("cluster.name", Output("demo", "name")),
        ("cluster.sid.name", Output("sid", "name")),
        ("cluster.sid.api.endpoint", Output("sid", "api", "", "endpoint")),
        ("cluster.api.api.endpoint", Output("api", "api", "", "endpoint")),
        ("cluster.services.sid.backend.address", Output("demo", "services", "sid/backend", "address")),
        ("cluster.sid.services.sid.backend.port", Output("sid", "services", "sid/backend", "port")),
        ("cluster.services.services.a.b.port", Output("services", "services", "a/b", "port")),
        ("cluster.sid.ingresses.sid.web.host", Output("sid", "ingresses", "sid/web", "host")),
        ("application.one.url", Output("demo", "applications", "one", "url")),
        ("cluster.sid.applications.one.host", Output("sid", "applications", "one", "host")),
        ("application.one.secrets.A_B", Output("demo", "applications", "one", "secrets.A_B")),
        ("cluster.secrets.sid.token.tls.crt", Output("demo", "secrets", "sid/token", "tls.crt")),
        ("cluster", None),
        ("cluster..name", None),
        ("cluster.api", None),
        ("cluster.services.sid.backend", None),
        ("cluster.services.sid.backend.adress", None),
        ("cluster.sid.services.sid.backend.address.x", None),
        ("application.one", None),
        ("HOME", None),
        ("", None),
    ],
)
def test_every_reference_has_one_reading(reference: str, output: Output | None) -> None:
    assert wiring.parsed(reference, "demo") == output


def test_a_reference_to_nothing_is_named_at_its_line_with_what_is_near() -> None:
    clusters = fleet(
        "  A: ${cluster.nmae}",
        "  B: ${cluster.sd.api.endpoint} ${application.on.url}",
        "  C: ${cluster.services.sid.bakend.address}",
        "  D: ${cluster.services.sid.database.address}",
        "  E: ${application.one.secrets.TOKEN}",
        "  F: ${cluster.sid.secrets.sid.token.token}",
    )
    found = wiring.check(clusters, {"demo": (SERVICE, INSIDE), "sid": ()})
    assert [(p.file, p.line, p.path) for p in found] == [
        (TWO, n, f"spec.env.{v}")
        for n, v in ((9, "A"), (10, "B"), (10, "B"), (11, "C"), (12, "D"), (13, "E"), (14, "F"))
    ]
    said = [(p.message, p.hint or "") for p in found]
    assert said[0] == ("${cluster.nmae} refers to nothing", "did you mean 'cluster.name'?")
    assert "'sid'" in said[1][1]
    assert "'one'" in said[2][1]
    assert "'sid/backend'" in said[3][1]
    assert "LoadBalancer" in said[4][1]
    assert "there are none" in said[5][1]
    assert "another cluster's secret" in said[6][0]


def test_what_can_be_known_later_is_no_mistake() -> None:
    clusters = fleet("  A: ${cluster.api.endpoint} ${cluster.sid.services.x.y.address}", one=())
    assert wiring.check(clusters) == []


def test_a_circle_is_refused_with_the_whole_way_round() -> None:
    clusters = fleet("  A: ${application.one.url}", one=("env:", "  B: x", "  C: '${application.two.host}'"))
    (problem,) = wiring.check(clusters)
    assert (problem.file, problem.line, problem.path) == (ONE, 10, "spec.env.C")
    assert problem.message == "refers in a circle: one → two → one"
    (alone,) = wiring.check(fleet("  A: ${application.two.url}"))
    assert alone.message == "refers in a circle: two → two"


def test_a_circle_through_two_clusters_is_one_too() -> None:
    away = "desired/sid/applications/away.yaml"
    extra = {
        TWO: application("two", "env: {A: '${cluster.sid.applications.away.url}'}"),
        OTHER: CLUSTER.replace("name: demo", "name: sid", 1),
        away: application("away", "env: {A: '${cluster.demo.applications.two.url}'}"),
    }
    (problem,) = wiring.check(desired(extra=extra))
    assert problem.message == "refers in a circle: demo/two → sid/away → demo/two"


def test_who_refers_to_whom_is_known_without_asking_anybody() -> None:
    clusters = fleet("  A: ${cluster.sid.api.endpoint}", "  B: ${cluster.sid.services.sid.backend.address}")
    assert {o.path for o in wiring.wanted(clusters, "sid")} == {"api.endpoint", "services.sid.backend.address"}
    assert [c.name for c in wiring.in_order(clusters)] == ["sid", "demo"]


class TestSecrets:
    def test_they_go_by_reference_and_never_into_the_environment(self) -> None:
        clusters = fleet(
            "  A: ${application.one.secrets.TOKEN}",
            "  B: ${cluster.secrets.sid.token.token}",
            one=("secrets: {TOKEN: {generate: true}}",),
        )
        token = Output("demo", "secrets", "sid/token", "token")
        assert wiring.check(clusters) == []
        made = wiring.wire(clusters[0], clusters[0].applications[1], Outputs(sealed={token: Sealed("s3cret", "7")}))
        assert made.app.spec.env == {}
        assert made.secrets.held == {"A": Held("one-token", "token")}
        assert made.secrets.brought["B"].value == "s3cret"
        assert "s3cret" not in repr(made)

    def test_one_that_is_not_known_is_waited_for(self) -> None:
        made, waits = env(wired("  B: ${cluster.secrets.sid.token.token}"), Outputs())
        assert made == {}
        assert waits.startswith("${cluster.secrets.sid.token.token}")

    @pytest.mark.parametrize(
        ("value", "one", "said"),
        [
            ("x${application.one.secrets.TOKEN}", (), "a whole value"),
            ("${application.one.secrets.TOKN}", (), "there is not"),
            ("${application.one.secrets.TOKEN}", ("namespace: elsewhere",), "can't read it"),
        ],
    )
    def test_one_that_would_leak_or_is_out_of_reach_is_refused(
        self, value: str, one: tuple[str, ...], said: str
    ) -> None:
        text = application("one", "secrets: {TOKEN: {generate: true}}")
        for line in one:
            text = text.replace("namespace: web", line)
        extra = {ONE: text, TWO: application("two", f"env: {{A: '{value}'}}")}
        (problem,) = wiring.check(desired(extra=extra))
        assert said in problem.message
