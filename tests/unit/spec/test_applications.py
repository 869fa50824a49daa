"""Applications beside each other: no two objects of one name, and names that Kubernetes takes."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state
from tests.unit.examples import CLUSTER, FILE, application
from tests.unit.spec.test_wiring import ONE, OTHER, TWO

SOPS = "manifests/sid/values.yaml"
SEALED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
GENERATED = "secrets: {API_TOKEN: {generate: true}}"
THEIRS = OTHER.replace("cluster.yaml", "applications/one.yaml")


def load(**texts: str) -> None:
    named = {"one": ONE, "two": TWO, "other": OTHER, "theirs": THEIRS}
    said = {FILE: CLUSTER, SOPS: f"a: '{SEALED}'\n", **{named[name]: text for name, text in texts.items()}}
    files = {path: text.encode() for path, text in said.items()}
    desired_state.load(files)


def problem(**texts: str) -> Problem:
    with pytest.raises(Invalid) as caught:
        load(**texts)
    (found,) = caught.value.problems
    return found


@pytest.mark.parametrize(
    "other", [f"DB: {{file: {SOPS}, key: a}}}}", "B: {generate: true}}\n  env: {DB: '${cluster.secrets.sid.a.b}'}"]
)
def test_a_generated_secret_is_not_the_one_that_is_brought(other: str) -> None:
    workload = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: sid}\n"
    text = application("web", f"secrets: {{SECRETS: {{generate: true}}, {other}")
    files = {FILE: CLUSTER + "  workloads: [{name: a, path: manifests/a}]\n", "manifests/a/a.yaml": workload}
    files |= {ONE: text, SOPS: f"a: '{SEALED}'\n"}
    with pytest.raises(Invalid) as caught:
        desired_state.load({path: said.encode() for path, said in files.items()})
    (found,) = caught.value.problems
    assert (found.file, found.line >= 8) == (ONE, True)
    assert (
        found.message == f"DB would be Secret web-secrets in namespace web of moc, which is already SECRETS of {ONE}:8"
    )
    assert found.hint


def test_two_applications_do_not_share_a_secret_by_accident() -> None:
    one, two = application("web", GENERATED), application("web-api", "secrets: {TOKEN: {generate: true}}")
    found = problem(one=one, two=two)
    assert (found.file, found.line, found.path) == (TWO, 8, "spec.secrets.TOKEN")
    assert f"Secret web-api-token in namespace web of moc, which is already API_TOKEN of {ONE}:8" in found.message
    load(one=one, two=two.replace("namespace: web", "namespace: elsewhere"))
    load(one=one, two=two.replace("target: moc", "target: elsewhere"))
    load(one=one, two=application("web-api", "secrets: {TOKEN: {secret: web-api-token, key: token}}"))


def test_applications_of_two_clusters_are_not_one() -> None:
    other, text = CLUSTER.replace("name: demo", "name: sid", 1), application("one")
    found = problem(one=text, other=other, theirs=text)
    assert (found.file, found.path) == (THEIRS, "metadata.name")
    assert f"already application one of {ONE}:3" in found.message
    load(one=text, other=other, theirs=text.replace("namespace: web", "namespace: theirs"))


@pytest.mark.parametrize("name", ["a b", "", "1A", "A=B", "..", ".", "ä"])
def test_what_kubernetes_takes_for_no_variable_is_refused(name: str) -> None:
    found = problem(one=application("one", f"env: {{'{name}': x}}"))
    assert (found.file, found.line) == (ONE, 8)
    assert "does not have the right form" in found.message


@pytest.mark.parametrize("image", ["''", "'a b'", "sid/Web:1"])
def test_an_image_is_one(image: str) -> None:
    found = problem(one=application("one").replace("example.org/web:1", image))
    assert (found.line, found.path) == (7, "spec.image")
    assert "is no image" in found.message


def test_names_with_dots_and_hyphens_are_variables_too() -> None:
    load(one=application("one", "env: {spring.datasource.url: x, a-b: y, _C: z, .d: w}"))
