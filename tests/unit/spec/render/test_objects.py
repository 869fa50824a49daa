"""What the workloads of one cluster know of each other's objects."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid
from reconciler.spec import desired_state
from reconciler.spec.render import objects
from tests.unit.examples import CLUSTER, FILE

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clusterpolicies.kyverno.io}
spec: {group: kyverno.io, scope: Cluster, names: {kind: ClusterPolicy, plural: clusterpolicies}}
"""
POLICY = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: no-root}\n"
ANOTHERS = "apiVersion: example.org/v1\nkind: ClusterPolicy\nmetadata: {name: other}\n"


def keys(**texts: str) -> list[str]:
    """Of workloads by name, each with the one file."""
    lines = "".join(f"    - {{name: {n}, path: manifests/{n}, namespace: {n}}}\n" for n in texts)
    files = {FILE: (CLUSTER + "  workloads:\n" + lines).encode()}
    files |= {f"manifests/{n}/a.yaml": text.encode() for n, text in texts.items()}
    (cluster,) = desired_state.load(files)
    return [str(objects.key(m)) for m in objects.workloads(cluster, files)]


@pytest.mark.parametrize("first", [True, False])
def test_a_kind_that_one_workload_defines_is_known_in_all(first: bool) -> None:
    texts = {"kyverno": CRD, "sid": POLICY} if first else {"sid": POLICY, "kyverno": CRD}
    found = ["CustomResourceDefinition clusterpolicies.kyverno.io", "ClusterPolicy no-root"]
    assert keys(**texts) == (found if first else found[::-1])


def test_another_groups_kind_of_that_name_is_not() -> None:
    assert keys(kyverno=CRD, sid=POLICY + "---\n" + ANOTHERS)[1:] == [
        "ClusterPolicy no-root",
        "ClusterPolicy sid/other",
    ]


def test_one_that_two_workloads_have_is_found_whatever_their_namespaces() -> None:
    with pytest.raises(Invalid) as caught:
        keys(kyverno=CRD, a=POLICY, b=POLICY)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("manifests/b/a.yaml", 3)
    assert problem.message == "ClusterPolicy no-root is already defined at manifests/a/a.yaml:1"
