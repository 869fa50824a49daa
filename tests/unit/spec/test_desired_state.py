"""All that can be checked asking nobody: manifests, templates and references, every mistake at its file and line."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state, sealed
from tests.unit.examples import CLUSTER, FILE, application
from tests.unit.spec.test_wiring import TWO

WORKLOAD = "manifests/sid/a.yaml"
GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
ENVIRONMENT = "desired/demo/environments/ada.yaml"
ADA = """\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata: {name: ada}
spec:
  owner: ada
  type: jupyter
"""


def files(more: Mapping[str, str]) -> dict[str, bytes]:
    cluster = CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid}\n"
    return {path: text.encode() for path, text in {FILE: cluster, WORKLOAD: GOOD, **more}.items()}


def problems(more: Mapping[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        desired_state.load(files(more))
    return caught.value.problems


def test_what_is_right_is_loaded() -> None:
    template = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ name }}\n"
    (cluster,) = desired_state.load(files({ENVIRONMENT: ADA, "manifests/environments/jupyter/pod.yaml": template}))
    assert (cluster.name, [e.name for e in cluster.environments]) == ("demo", ["ada"])


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: [", 1, "", "broken YAML"),
        (GOOD.replace("kind: ConfigMap\n", ""), 1, "kind", "kind is missing"),
        (GOOD.replace("  name: a", "  name: 1"), 4, "metadata.name", "not text"),
        (GOOD + "  namespace: {a: b}\n", 5, "metadata.namespace", "not text"),
        (GOOD + "  namespace: 12\n", 5, "metadata.namespace", "not text"),
        (GOOD + "  labels: [a]\n", 5, "metadata.labels", "not a mapping"),
        (GOOD + "---\n" + GOOD, 9, "metadata.name", "already defined at manifests/sid/a.yaml:1"),
        (GOOD + 'data:\n  a: "\\ud800"\n', 6, "", "Unicode"),
    ],
)
def test_a_mistake_in_a_manifest_has_its_line(text: str, line: int, path: str, message: str) -> None:
    (problem,) = problems({WORKLOAD: text})
    assert (problem.file, problem.line, problem.path) == (WORKLOAD, line, path)
    assert message in problem.message


def test_labels_left_empty_are_no_mistake() -> None:
    assert desired_state.load(files({WORKLOAD: GOOD + "  labels:\n  namespace:\n"}))


def test_an_environment_of_a_type_without_templates() -> None:
    (problem,) = problems({ENVIRONMENT: ADA})
    assert (problem.file, problem.line, problem.path) == (ENVIRONMENT, 6, "spec.type")
    assert problem.hint == "add the folder manifests/environments/jupyter"


def test_a_template_with_a_mistake() -> None:
    path = "manifests/environments/jupyter/pod.yaml"
    (problem,) = problems({ENVIRONMENT: ADA, path: "apiVersion: v1\nkind: {{ kidn }}\n"})
    assert (problem.file, problem.line) == (path, 2)
    assert "kidn" in problem.message


def test_wiring_and_manifests_are_checked_together() -> None:
    found = problems({WORKLOAD: "a: [", TWO: application("two", "env: {A: '${nothing}'}")})
    assert [p.file for p in found] == [TWO, WORKLOAD]


JSON = "manifests/sid/s.json"
SECRET = (
    '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},\n "stringData": {"password": "canary7f3a"}}\n'
)
SEALED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
KEPT = SECRET.replace("canary7f3a", SEALED)[:-2] + f',\n "sops": {{"mac": "{SEALED}"}}}}\n'


def refused(path: str, text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        desired_state.refuse_plain_secrets({path: text.encode()})
    assert "canary7f3a" not in repr(caught.value.problems)
    return list(caught.value.problems)


@pytest.mark.parametrize("path", [WORKLOAD, JSON])
def test_a_secret_in_plain_text_is_refused_in_yaml_and_in_json(path: str) -> None:
    (problem,) = refused(path, SECRET)
    assert (problem.file, problem.line, problem.path) == (path, 2, "stringData.password")


def test_json_that_cannot_be_parsed_is_read_line_by_line() -> None:
    (problem,) = refused(JSON, '{\n  "note": null, "a" "b",\n  "password": "canary7f3a",\n  "token": null,\n}\n')
    assert problem.line == 3


@pytest.mark.parametrize("path", [WORKLOAD, JSON])
def test_what_sops_keeps_is_known_in_yaml_and_in_json(path: str) -> None:
    desired_state.refuse_plain_secrets({path: KEPT.encode()})
    assert sealed.encrypted(path, KEPT.encode())
    assert not sealed.encrypted(path, SECRET.encode())


HELD = "secrets: {DATABASE_PASSWORD: {secret: postgres-credentials, key: password}}"


@pytest.mark.parametrize(
    "lines",
    [
        (HELD,),
        ("secrets:", "  DATABASE_PASSWORD:", "    secret: postgres-credentials", "    key: password"),
    ],
)
def test_an_application_may_name_a_secret_that_somebody_else_keeps(lines: tuple[str, ...]) -> None:
    made = files({TWO: application("two", *lines)})
    desired_state.refuse_plain_secrets(made)
    (cluster,) = desired_state.load(made)
    source = cluster.applications[0].spec.secrets["DATABASE_PASSWORD"]
    assert (source.secret, source.key) == ("postgres-credentials", "password")


@pytest.mark.parametrize(
    "line",
    [
        "secrets: {DATABASE_PASSWORD: {secret: canary7f3a}}",
        "secrets: {secret: canary7f3a, key: password}",
        "env: {secret: canary7f3a, key: password}",
        "secrets: {A: {secret: ghp_canary7f3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, key: password}}",
        "secrets: {A: {secret: a, key: password, password: canary7f3a}}",
        "secrets: {A: {secret: {secret: canary7f3a, key: a}, key: password}}",
    ],
)
def test_a_secret_is_no_name_anywhere_else(line: str) -> None:
    (problem,) = refused(TWO, application("two", line))
    assert problem.line == 8
