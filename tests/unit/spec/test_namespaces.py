"""Namespaces that objects go to and nothing in git makes are named, each once and at its line."""

from __future__ import annotations

from reconciler.spec import desired_state
from reconciler.spec.namespaces import remarks, unmade
from tests.unit.examples import CLUSTER, FILE

SPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: sid}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
ELSEWHERE = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  namespace: other\n"
CLUSTER_WIDE = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: p}\n"


def told(manifests: str, namespace: str = "sid") -> list[str]:
    workload = f"  workloads:\n    - name: web\n      path: manifests/web\n      namespace: {namespace}\n"
    files = {FILE: (CLUSTER + workload).encode(), "manifests/web/a.yaml": manifests.encode()}
    (cluster,) = desired_state.load(files)
    return [str(problem) for problem in remarks(cluster, (), files)]


def test_the_namespace_of_a_workload_is_named_at_its_line() -> None:
    (word,) = told(CONFIG + CLUSTER_WIDE)
    line = CLUSTER.count("\n") + 4
    assert word.startswith(f"{FILE}:{line}:")
    assert "workload 'web' goes to the namespace 'sid', which nothing in git makes" in word


def test_one_that_an_object_names_itself_is_named_there() -> None:
    first, second = told(CONFIG + ELSEWHERE)
    assert "'sid'" in first + second
    assert any("manifests/web/a.yaml:9" in word and "'other'" in word for word in (first, second))


def test_what_git_makes_or_every_cluster_has_is_not() -> None:
    assert told(SPACE + "---\n" + CONFIG) == []
    assert told(CONFIG, "default") == told(CONFIG, "kube-system") == []
    assert told(CLUSTER_WIDE) == [], "nothing goes there"


def test_of_manifests_alone() -> None:
    lost = {"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "x"}}
    assert unmade([lost, {"kind": "Namespace", "metadata": {"name": "y"}}]) == {"x"}
    assert unmade([lost, {"kind": "Namespace", "metadata": {"name": "x"}}]) == frozenset()
