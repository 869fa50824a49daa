"""The reconciler's own account, with just the rights of manifests/reconciler/: enough for all that it does after the
bootstrap, and for nothing else. On a real API server, by the account's own token."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.engine.diff import diff
from reconciler.errors import Permanent
from reconciler.model.change import Action, Class
from reconciler.model.desired import Environment, Workload
from reconciler.model.resource import Component, Expected, Kinds, Known, Observed, Resource, Unknown
from reconciler.ports import Manifest
from reconciler.spec.render import objects
from reconciler.spec.render.application import Sealed, Secrets, application
from reconciler.spec.render.environment import environment, shared
from reconciler.spec.render.workload import workload
from tests.unit.spec.render.test_application import app

from .objects import IMAGE, Spoken, config, kubectl, of_kind
from .test_manifests import ROOT, _default_class

pytestmark = pytest.mark.live

ACCOUNT = "system:serviceaccount:reconciler-system:reconciler"


@pytest.fixture(scope="module")
def account(kube: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig made as docs/install.md says."""
    folder = ROOT / "reconciler"
    kubectl(kube, "apply", "-f", str(folder / "account.yaml"), "-f", str(folder))
    yield kubeconfig(kube, "reconciler-system", tmp_path_factory.mktemp("account"))
    kubectl(kube, "delete", "-f", str(folder), "--ignore-not-found", "--wait=false")


def kubeconfig(kube: Path, namespace: str, folder: Path) -> Path:
    token = kubectl(kube, "create", "token", "reconciler", "-n", namespace, "--duration=1h").strip()
    made = folder / "kubeconfig"
    made.with_name("token").write_text(token)
    made.write_text(kube.read_text())
    user = kubectl(made, "config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.user}")
    kubectl(made, "config", "unset", f"users.{user}")
    kubectl(made, "config", "set", "users.reconciler.tokenFile", str(made.with_name("token")))
    kubectl(made, "config", "set-context", "--current", "--user", "reconciler")
    return made


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
    found = {objects.key(m): m for m in [*backend, *environments_of(owner)]}
    return list(found.values())


def environments_of(owner: str) -> list[Manifest]:
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
    return list({objects.key(m): m for m in [*own, *shared(owner, [env], folder("owner"))]}.values())


def applied(manifest: Manifest) -> Resource:
    return replace(objects.resource(manifest), type=f"{manifest['apiVersion']}/{manifest['kind']}")


def left(live: Kinds, before: Sequence[Resource]) -> tuple[list[Resource], list[str]]:
    """What is to be pruned and what is left alone, now that git names none of it any more. Nothing is unknown."""
    part = Component.WORKLOADS
    found = diff(Expected({}), Expected({part: tuple(before)}), Observed({part: live}))
    assert [str(d.key) for d in found if d.cls is Class.UNKNOWN] == []
    doomed = [Resource(d.key.kind, d.key.name, id=d.id) for d in found if d.action is Action.DELETE]
    return doomed, sorted(str(d.key) for d in found if d.cls is Class.IGNORED)


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


def test_an_owner_whose_last_environment_is_gone_is_pruned_and_stays_in_sight(account: Path, owner: str) -> None:
    part_of, manifests, space = f"rights-{owner}", environments_of(owner), f"env-{owner}"
    api, before = KubernetesApi(account, wait=90), [applied(m) for m in manifests]
    api.apply(part_of, manifests, Spoken())

    doomed, kept = left(api.compare(part_of, [], before).live, before)
    assert kept == [f"Namespace {space}", f"PersistentVolumeClaim {space}/work", f"RoleBinding {space}/reconciler"]
    assert len(doomed) == len(manifests) - len(kept)
    api.prune(doomed)

    assert left(api.compare(part_of, [], before).live, before) == ([], kept), "and so in every cycle to come"


def test_on_openshift_it_applies_compares_and_prunes_an_application_in_its_project(
    kube: Path, namespace: str, tmp_path: Path
) -> None:
    kubectl(kube, "create", "namespace", namespace)
    kubectl(kube, "apply", "-n", namespace, "-f", str(ROOT / "reconciler" / "openshift"))
    api = KubernetesApi(kubeconfig(kube, namespace, tmp_path), field_manager="kubectl", wait=90)
    secrets = {"TOKEN": {"generate": True}}
    asked = {"namespace": namespace, "image": IMAGE, "imageStream": True, "secrets": secrets}
    scaled = app(**asked, autoscaling={"min": 2, "max": 3})
    manifests = application(scaled, Secrets(brought={"KEY": Sealed("v", "1")}))
    before = [applied(m) for m in manifests]
    left(api.compare(namespace, manifests, before).live, before)

    api.apply(namespace, manifests, Spoken())
    found = api.compare(namespace, manifests, before)
    assert [(str(e.key), dict(e.fields)) for e in found.expected if e.fields] == []

    doomed, kept = left(api.compare(namespace, [], before).live, before)
    assert sorted(r.key for r in doomed) == sorted(r.key for r in before if r.kind != "Namespace")
    assert kept == [f"Namespace {namespace}"]
    api.prune(doomed)
    assert left(api.compare(namespace, [], before).live, before) == ([], kept)

    for verb, resource in (("list", "namespaces"), ("delete", f"namespaces/{namespace}"), ("get", "namespaces/sid")):
        assert can(tmp_path / "kubeconfig", verb, resource) == "no"


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
    assert can(account, *asked) == "no"


def can(account: Path, *asked: str) -> str:
    """Yes or no."""
    command = ["kubectl", "--kubeconfig", str(account), "auth", "can-i", *asked]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def space(name: str, security: str | None = None) -> Manifest:
    labels = {} if security is None else {"pod-security.kubernetes.io/enforce": security}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


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
        (space("elsewhere", "restricted"), "sid and env-"),
        (space("kube-system", "privileged"), "sid and env-"),
        (space("env-x", "privileged"), "restricted or baseline"),
        (space("env-y", "privileged"), "restricted or baseline"),
        (space("env-y"), "restricted or baseline"),
    ],
)
def test_it_gives_itself_no_more(kube: Path, account: Path, wanted: Manifest, said: str) -> None:
    kubectl(kube, "apply", "-f", "-", stdin=space("env-x", "restricted"))
    with pytest.raises(Permanent, match=said):
        KubernetesApi(account).apply("rights", [wanted], Spoken())
    assert json.loads(kubectl(kube, "get", "rolebinding", "-n", "env-x", "-o", "json"))["items"] == []


def test_it_takes_the_standard_of_no_namespace_away(kube: Path, account: Path) -> None:
    kubectl(kube, "apply", "-f", "-", stdin=space("env-x", "baseline"))
    patch = json.dumps({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}})
    command = ["kubectl", "--kubeconfig", str(account), "patch", "namespace", "env-x", "-p", patch]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "restricted or baseline" in done.stderr
    KubernetesApi(account).apply("rights", [space("env-x", "restricted")], Spoken())


def test_it_is_who_it_says(account: Path) -> None:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(account), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ACCOUNT
