"""What is wrong in one folder stops the clusters that use it, and no others; and each is checked against all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.errors import Invalid, Permanent, Problem, ReconcilerError
from reconciler.spec import desired_state
from reconciler.spec.desired_state import Sources
from reconciler.spec.tree import Opened, Raw
from tests.unit.examples import CLUSTER, application

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: x}\nstringData: {password: hunter2hunter2}\n"
SEALED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
KEPT = SECRET.replace("hunter2hunter2", f"'{SEALED}'") + f"sops: {{mac: '{SEALED}'}}\n"
ADA = "apiVersion: research.moc/v1alpha1\nkind: Environment\nmetadata: {name: ada}\nspec: {owner: ada, type: jupyter}\n"
LINK = "is a symbolic link"


def cluster(name: str, *workloads: str) -> str:
    listed = "".join(f"    - {{name: w{n}, path: {path}}}\n" for n, path in enumerate(workloads))
    return CLUSTER.replace("name: demo", f"name: {name}") + (f"  workloads:\n{listed}" if listed else "")


def sources(files: Mapping[str, str], refused: tuple[str, ...] = (), sealed: tuple[str, ...] = ()) -> Sources:
    """`refused` can't be had from git, `sealed` can't be decrypted."""
    problems = {path: Problem(path, 1, 1, "", f"{path} {LINK}") for path in refused}

    def opened(path: str, text: bytes) -> bytes:
        if path in sealed:
            raise Permanent(f"{path} can't be decrypted")
        return text

    raw = Raw({path: text.encode() for path, text in files.items()}, problems)
    return Sources(Opened(raw, opened), raw)


def failed(loaded: desired_state.Loaded) -> dict[str, str]:
    def told(error: ReconcilerError) -> str:
        return "; ".join(map(str, error.problems)) if isinstance(error, Invalid) else error.message

    return {name: told(error) for name, error in loaded.failed.items()}


GOOD = {"desired/good/cluster.yaml": cluster("good", "manifests/shared"), "manifests/shared/a.yaml": CONFIG}


@pytest.mark.parametrize(
    ("more", "refused", "sealed", "message"),
    [
        ({"desired/bad/cluster.yaml": "a: ["}, (), (), "broken YAML"),
        ({"desired/bad/cluster.yaml": cluster("bad").replace("m1.large", "[x]")}, (), (), "nodeGroups"),
        ({"desired/bad/cluster.yaml": cluster("bad", "manifests/nowhere")}, (), (), "there is no folder"),
        ({"desired/bad/cluster.yaml": cluster("bad")}, ("desired/bad/environments/a.yaml",), (), LINK),
        ({"desired/bad/cluster.yaml": cluster("bad")}, ("desired/bad/notes.txt",), (), LINK),
        ({}, ("desired/bad/",), (), LINK),
        (
            {"desired/bad/cluster.yaml": cluster("bad", "manifests/bad"), "manifests/bad/a.yaml": CONFIG},
            ("manifests/bad/b.yaml",),
            (),
            LINK,
        ),
        (
            {"desired/bad/cluster.yaml": cluster("bad", "manifests/bad"), "manifests/bad/a.yaml": SECRET},
            (),
            (),
            "manifests/bad/a.yaml:4",
        ),
        ({"desired/bad/cluster.yaml": cluster("bad"), "desired/bad/environments/a.yaml": ADA + SECRET}, (), (), "bad"),
        (
            {"desired/bad/cluster.yaml": cluster("bad", "manifests/bad"), "manifests/bad/a.yaml": KEPT},
            (),
            ("manifests/bad/a.yaml",),
            "can't be decrypted",
        ),
        (
            {"desired/bad/cluster.yaml": cluster("bad", "manifests/bad"), "manifests/bad/a.yaml": "kind: [x]\n"},
            (),
            (),
            "manifests/bad/a.yaml",
        ),
        (
            {
                "desired/bad/cluster.yaml": cluster("bad"),
                "desired/bad/applications/a.yaml": application("a", "env: {A: '${cluster.gone.api.endpoint}'}"),
            },
            (),
            (),
            "which there is not",
        ),
    ],
)
def test_a_mistake_is_its_clusters_alone(
    more: Mapping[str, str], refused: tuple[str, ...], sealed: tuple[str, ...], message: str
) -> None:
    loaded = desired_state.each(sources({**GOOD, **more}, refused, sealed))
    assert [c.name for c in loaded.clusters] == ["good"]
    assert list(loaded.failed) == ["bad"]
    assert message in failed(loaded)["bad"]


def test_a_folder_of_manifests_stops_those_who_use_it() -> None:
    two = {**GOOD, "desired/too/cluster.yaml": cluster("too", "manifests/shared")}
    three = {**two, "desired/other/cluster.yaml": cluster("other")}
    loaded = desired_state.each(sources(three, ("manifests/shared/b.yaml",)))
    assert [c.name for c in loaded.clusters] == ["other"]
    assert set(loaded.failed) == {"good", "too"}


def test_what_nobody_uses_stops_nobody_and_is_a_mistake_all_the_same() -> None:
    given = sources(GOOD, ("manifests/nobody/a.yaml",), ("manifests/shared/z.yaml",))
    assert not desired_state.each(given).failed


def test_a_fleet_that_can_not_be_had_stops_everybody() -> None:
    with pytest.raises(Invalid, match=LINK):
        desired_state.each(sources(GOOD, ("desired/fleet.yaml",)))


HOST = "host: lab.example.org"
ENVIRONMENT = ADA.replace("type: jupyter}", f"type: jupyter, access: {{via: ingress, {HOST}}}}}")
TEMPLATE = {"manifests/environments/jupyter/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ name }}\n"}
INGRESS = (
    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a, namespace: x}\n"
    "spec: {rules: [{host: lab.example.org}]}\n"
)
BOTH = {"desired/a/cluster.yaml": cluster("a"), "desired/b/cluster.yaml": cluster("b")}
ACROSS = {
    "a host of two applications": (
        {
            "desired/a/applications/one.yaml": application("one", HOST),
            "desired/b/applications/two.yaml": application("two", HOST),
        },
        "already claimed at desired/a/applications/one.yaml",
    ),
    "a host of an environment and an application": (
        {
            **TEMPLATE,
            "desired/a/environments/ada.yaml": ENVIRONMENT,
            "desired/b/applications/two.yaml": application("two", HOST),
        },
        "already claimed at desired/a/environments/ada.yaml",
    ),
    "an application in another's place": (
        {"desired/a/applications/x.yaml": application("x"), "desired/b/applications/x.yaml": application("x")},
        "which is already application x of desired/a/applications/x.yaml",
    ),
    "an Ingress with another's host": (
        {
            "desired/a/applications/one.yaml": application("one", HOST),
            "desired/b/cluster.yaml": cluster("b", "manifests/b"),
            "manifests/b/a.yaml": INGRESS,
        },
        "already claimed at desired/a/applications/one.yaml",
    ),
}


@pytest.mark.parametrize("case", ACROSS)
def test_a_cluster_loaded_on_its_own_meets_the_same_checks_as_with_all_others(case: str) -> None:
    more, message = ACROSS[case]
    given = sources({**BOTH, **more})
    together = desired_state.each(given)
    assert [c.name for c in together.clusters] == ["a"]
    outlines = [desired_state.outline(c) for c in together.clusters]
    alone = desired_state.each(given, {"b"}, outlines)
    assert failed(alone) == failed(together)
    assert message in failed(alone)["b"]
