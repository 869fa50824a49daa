"""The reconciler's own account, with just the rights of manifests/reconciler/: enough for all that it does after the
bootstrap, and for nothing else. On a real API server, by the account's own token."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.errors import Permanent
from reconciler.model.desired import Environment, Workload
from reconciler.model.resource import Known, Resource, Unknown
from reconciler.ports import Manifest
from reconciler.spec.render import objects
from reconciler.spec.render.environment import environment, shared
from reconciler.spec.render.workload import workload

from .objects import Spoken, config, kubectl, of_kind
from .test_manifests import ROOT, _default_class

pytestmark = pytest.mark.live

ACCOUNT = "system:serviceaccount:reconciler-system:reconciler"


@pytest.fixture(scope="module")
def account(kube: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig made as docs/install.md says."""
    folder = ROOT / "reconciler"
    kubectl(kube, "apply", "-f", str(folder / "account.yaml"), "-f", str(folder))
    token = kubectl(kube, "create", "token", "reconciler", "-n", "reconciler-system", "--duration=1h").strip()
    made = tmp_path_factory.mktemp("account") / "kubeconfig"
    made.with_name("token").write_text(token)
    made.write_text(kube.read_text())
    user = kubectl(made, "config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.user}")
    kubectl(made, "config", "unset", f"users.{user}")
    kubectl(made, "config", "set", "users.reconciler.tokenFile", str(made.with_name("token")))
    kubectl(made, "config", "set-context", "--current", "--user", "reconciler")
    yield made
    kubectl(kube, "delete", "-f", str(folder), "--ignore-not-found", "--wait=false")


@pytest.fixture
def owner(kube: Path) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:8]}"
    spec = {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/nowhere/{name}"},
        "storageClassName": _default_class(kube),
    }
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
    kubectl(kube, "apply", "-f", "-", stdin=made)
    yield name
    kubectl(kube, "delete", "namespace", f"env-{name}", "--ignore-not-found", "--wait=false")
    kubectl(kube, "delete", "pv", name, "--wait=false", "--ignore-not-found")


def manifests_of(owner: str) -> list[Manifest]:
    """The example: Sid's back end, and one environment."""
    source = Workload(name="sid-backend", path="manifests/sid-backend", namespace="sid")
    backend = workload({str(p): p.read_bytes() for p in (ROOT / "sid-backend").iterdir()}, source)
    env = Environment.model_validate(
        {
            "apiVersion": "research.moc/v1alpha1",
            "kind": "Environment",
            "metadata": {"name": "work"},
            "spec": {"type": "jupyter", "owner": owner, "expires": "2030-06-30"},
        }
    )

    def folder(*names: str) -> dict[str, bytes]:
        return {str(p): p.read_bytes() for name in names for p in (ROOT / "environments" / name).iterdir()}

    own = environment(env, folder("jupyter", "common"))
    found = {objects.key(m): m for m in [*backend, *own, *shared(owner, [env], folder("owner"))]}
    return list(found.values())


def applied(manifest: Manifest) -> Resource:
    return replace(objects.resource(manifest), type=f"{manifest['apiVersion']}/{manifest['kind']}")


def test_it_applies_compares_and_prunes_the_example_and_sees_everything(kube: Path, account: Path, owner: str) -> None:
    part_of, manifests = f"rights-{owner}", manifests_of(owner)
    api = KubernetesApi(account, wait=90)
    before = [applied(m) for m in manifests]
    try:
        first = api.compare(part_of, manifests, before)
        assert not [listing for listing in first.live.values() if isinstance(listing, Unknown)], (
            "nothing is there, and that is known"
        )
        api.apply(part_of, [*manifests, config(f"env-{owner}", "old", {"a": "b"})], Spoken())

        found = api.compare(part_of, manifests, before)
        assert [(str(e.key), dict(e.fields)) for e in found.expected if e.fields] == []
        live = {r.key: r for listing in found.live.values() if isinstance(listing, Known) for r in listing.resources}
        (old,) = live.keys() - {e.key for e in found.expected}
        assert old.name == f"env-{owner}/old"
        api.prune([live[old]])
        assert kubectl(kube, "get", "configmap", "old", "-n", f"env-{owner}", "--ignore-not-found") == ""

        secrets = api.compare(part_of, [], [of_kind("v1/Secret")]).live["Secret"]
        assert isinstance(secrets, Known)
        assert [r.name for r in secrets.resources] == [f"env-{owner}/work"], "found though no manifest names its place"

        nodes = api.nodes()
        assert isinstance(nodes, Known)
        api.label_nodes([Resource("node", nodes.resources[0].name, {"labels.example.org/test": "a"})])
        api.label_nodes([Resource("node", nodes.resources[0].name, {"labels.example.org/test": None})])
        api.symptoms([nodes.resources[0].name])
    finally:
        kubectl(kube, "delete", "namespace", "sid", "--wait=true", "--timeout=60s", "--ignore-not-found")


@pytest.mark.parametrize(
    "asked",
    [
        ("get", "secrets", "-n", "kube-system"),
        ("list", "secrets", "--all-namespaces"),
        ("list", "secrets", "-n", "reconciler-system"),
        ("create", "deployments", "-n", "kube-system"),
        ("create", "pods", "-n", "sid"),
        ("create", "pods", "--subresource=exec", "-n", "sid"),
        ("create", "serviceaccounts", "--subresource=token", "-n", "kube-system"),
        ("create", "clusterrolebindings"),
        ("create", "clusterroles"),
        ("escalate", "clusterroles"),
        ("bind", "clusterroles/cluster-admin"),
        ("impersonate", "users"),
        ("delete", "namespaces"),
        ("delete", "nodes"),
        ("delete", "persistentvolumeclaims", "-n", "sid"),
        ("patch", "validatingadmissionpolicies"),
        ("get", "nodes", "--subresource=proxy"),
    ],
)
def test_it_may_not(account: Path, asked: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(account), "auth", "can-i", *asked], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "no", done.stderr


def binding(namespace: str, role: str = "reconciler-namespace", account: str = "reconciler") -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "mine", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "reconciler-system"}],
    }


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (binding("kube-system"), "binds roles in the namespaces sid and env-"),
        (binding("kube-system", "cluster-admin"), "attempting to grant"),
        (binding("env-x", "admin"), "admin|attempting to grant"),
        (binding("env-x", account="default"), "to itself, and nothing else"),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}}, "sid and env-"),
        (
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "kube-system", "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
            },
            "sid and env-",
        ),
    ],
)
def test_it_gives_itself_no_more(kube: Path, account: Path, wanted: Manifest, said: str) -> None:
    kubectl(kube, "apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "env-x"}})
    with pytest.raises(Permanent, match=said):
        KubernetesApi(account).apply("rights", [wanted], Spoken())
    assert json.loads(kubectl(kube, "get", "rolebinding", "-n", "env-x", "-o", "json"))["items"] == []


def test_it_is_who_it_says(account: Path) -> None:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(account), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ACCOUNT
