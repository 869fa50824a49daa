"""Manifests as people keep them: every mistake is found at its line, and everything gets its namespace."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.model.desired import Workload
from reconciler.ports import Manifest
from reconciler.spec.render.workload import workload

ROOT = Path(__file__).parents[4]
SOURCE = Workload(name="w", path="w", namespace="sid")


SCALER = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"


def read(**files: str) -> list[Manifest]:
    return workload({f"w/{name}.yaml": text.encode() for name, text in files.items()}, SOURCE)


def problems(**files: str) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as refused:
        read(**files)
    return refused.value.problems


def config(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}"


def test_what_names_no_namespace_gets_the_workloads_own() -> None:
    found = read(a=config("a"), b=config("b", "  namespace: other\n"))
    assert [m["metadata"]["namespace"] for m in found] == ["sid", "other"]


def test_what_belongs_to_the_cluster_gets_none() -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: zones.example.org}\n"
        "spec: {group: example.org, scope: Cluster, names: {kind: Zone}}\n---\n"
        "apiVersion: example.org/v1\nkind: Zone\nmetadata: {name: north}\n---\n"
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: sid, namespace: sid}\n"
    )
    assert [m["metadata"].get("namespace") for m in read(a=crd)] == [None, None, None]


def test_another_groups_kind_of_the_same_name_keeps_its_namespace() -> None:
    project = "apiVersion: {}/v1\nkind: Project\nmetadata: {{name: p, namespace: {}}}\n"
    rancher, openshift = project.format("management.cattle.io", "c-1"), project.format("project.openshift.io", "c-1")
    assert [m["metadata"].get("namespace") for m in read(a=rancher, b=openshift)] == ["c-1", None]


def test_a_list_is_its_items_and_other_files_are_none_of_ours() -> None:
    items = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
        f"- apiVersion: v1\n  kind: ConfigMap\n  metadata: {{name: {name}}}\n" for name in ("a", "b")
    )
    files = {"w/list.yaml": items.encode(), "w/README.md": b"# {not yaml", "w/empty.yml": b"---\n# nothing\n"}
    found = workload(files, SOURCE)
    assert [m["metadata"]["name"] for m in found] == ["a", "b"]
    assert isinstance(found[0], dict)


def test_sequences_are_lists_as_json_has_them() -> None:
    (found,) = read(a=config("a", "data: {}\nx: [1, [2]]\n"))
    assert found["x"] == [1, [2]]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("kind: ConfigMap\nmetadata: {name: a}\n", 1, "apiVersion is missing"),
        ("apiVersion: v1\nmetadata: {name: a}\n", 1, "kind is missing"),
        ("apiVersion: v1\nkind: ConfigMap\n", 1, "metadata is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n", 3, "metadata.name is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: 7\n", 4, "metadata.name is missing or not text"),
        ("apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: a-\n", 4, "generateName"),
        ("- just\n- a list\n", 1, "is not a Kubernetes object"),
        ("apiVersion: v1\nkind: List\nitems: 5\n", 3, "items is not a list"),
        (SCALER + "spec: [1]\n", 4, "spec is not a mapping"),
        (SCALER + "spec:\n  scaleTargetRef: web\n", 5, "spec.scaleTargetRef is not a mapping"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: x\n", 4, "spec is not a mapping"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: [1]\n", 4, "stringData is not a mapping"),
        ("apiVersion: v1\nkind: [\n", 2, "broken YAML"),
        (config("a", "mode: 0644\n"), 5, "octal"),
        (config("a", "modes:\n  - 0440 # read only\n"), 6, "octal"),
        (config("a", "data:\n  b: yes\n"), 6, "'yes' is true to Kubernetes and text to YAML 1.2"),
        (config("a", "data:\n  b:\n    Off\n"), 6, "'Off' is false to Kubernetes"),
        (config("a", "data: {b: x, c: [n]}\n"), 5, "'n' is false to Kubernetes"),
        (config("a", "data:\r\n  b: 1_000\r\n"), 6, "'1_000' is a number to Kubernetes"),
        (config("a", "data:\n  <<: {b: c}\n"), 6, "merges another mapping"),
        (config("a", "data:\n\tb: c\n"), 6, "broken YAML"),
        (config("a", "data:\n  b: c\n  b: d\n"), 7, "is there twice"),
        (config("a", "x: !!binary aGk=\n"), 5, "is not plain data"),
    ],
)
def test_a_mistake_is_named_at_its_line(text: str, line: int, said: str) -> None:
    (problem,) = problems(a=text)
    assert problem.file == "w/a.yaml"
    assert problem.line == line
    assert said in problem.message


def test_plain_numbers_and_quoted_ones_are_no_mistake() -> None:
    (found,) = read(a=config("a", 'a: 0\nb: 10\nc: "0644"\nd: 0o644\ne: 1.05\nf: [100, 20]\n'))
    assert (found["a"], found["b"], found["c"], found["d"]) == (0, 10, "0644", 420)


def test_what_people_and_programs_write_around_it_is_no_mistake() -> None:
    text = (
        "\ufeff---\r\n# only words\t, and a tab\r\n---\r\n\r\n---\r\n"
        "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: a\r\n  creationTimestamp: null\r\n"
        "  labels: &l {a: b}\r\n"
        "data:\r\n  script: |\r\n    on: yes\r\n    0644\r\n  quoted: 'yes'\r\nstatus: {}\r\n...\r\n---\r\n"
        "apiVersion: v1\r\nkind: Service\r\nmetadata: {name: a, labels: {x: y-z}}\r\n---\r\n"
        "apiVersion: v1\r\nkind: List\r\nitems:\r\n"
    )
    config_map, service = read(a=text)
    assert (config_map["kind"], service["kind"]) == ("ConfigMap", "Service")
    assert config_map["data"] == {"script": "on: yes\n0644\n", "quoted": "yes"}
    assert config_map["metadata"]["labels"] == {"a": "b"}


def test_every_mistake_is_told_not_the_first() -> None:
    assert len(problems(a="kind: ConfigMap\nmetadata: {name: a}\n", b="apiVersion: v1\nkind: Secret\n")) == 2


def test_twice_the_same_object_is_refused_naming_both_places() -> None:
    (problem,) = problems(a=config("x"), b="# twice\n" + config("x", "  namespace: sid\n"))
    assert (problem.file, problem.line) == ("w/b.yaml", 5)
    assert "w/a.yaml:1" in problem.message


def test_the_back_end_we_ship_is_well_formed_and_nobody_fights_its_autoscaler() -> None:
    folder = ROOT / "manifests" / "sid-backend"
    found = workload({str(p): p.read_bytes() for p in folder.iterdir()}, SOURCE)
    kinds = {m["kind"]: m for m in found}
    assert set(kinds) == {
        *("Namespace", "RoleBinding", "ServiceAccount", "ConfigMap", "Deployment", "Service"),
        *("PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy", "PriorityClass"),
    }
    assert "replicas" not in kinds["Deployment"]["spec"]
    rest = [m for m in found if m["kind"] not in ("Namespace", "PriorityClass")]
    assert all(m["metadata"]["namespace"] == "sid" for m in rest)


def test_however_many_mistakes_there_are_the_first_are_told() -> None:
    with pytest.raises(Invalid) as caught:
        workload({"w/a.yaml": ("kind: List\nitems: [" + "a, " * 500 + "]").encode()}, SOURCE)
    assert len(caught.value.problems) == 101
    assert sum("400 more mistakes" in problem.message for problem in caught.value.problems) == 1


def test_many_numbers_on_one_line_are_looked_at_once() -> None:
    text = config("a").encode() + b"spec: [" + b"1, " * 20_000 + b"]\n"
    began = time.process_time()
    workload({"w/a.yaml": text}, SOURCE)
    assert time.process_time() - began < 5
