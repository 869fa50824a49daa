"""The check that finds nothing to do, of a hundred to five thousand objects of seven kinds, against `kubectl diff` on
the same objects of the same API server in one run.

Prints seconds, ratios and requests. Ours is a new connection each time, which knows no kind yet, and the file that
remembers what was equal: what a process that was just started does.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reconciler.adapters.kubernetes import KubernetesApi
from reconciler.adapters.kubernetes.connection import Connection
from reconciler.adapters.kubernetes.fields import prepared
from reconciler.adapters.kubespray import Given, Kubespray
from reconciler.ports import Playbook
from reconciler.progress import QuietProgress, RichProgress
from reconciler.sandbox.kubespray import PLAYBOOKS
from reconciler.sandbox.sandbox import IMAGE
from reconciler.settings import Settings
from reconciler.toolchain import Toolbox

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
from tests.contract.conftest import _one_host  # noqa: E402
from tests.contract.fleet import Fleet  # noqa: E402

SIZES = (100, 1000, 5000)
KUBECTL_UP_TO = 1000  # beyond, it takes minutes
RUNS, KUBECTL_RUNS = 5, 3
SPACE = "bench-objects"


def main() -> None:
    gc.freeze()  # as the program does when it starts
    toolbox = Toolbox(Settings().cache_folder, progress=RichProgress())
    toolbox.ensure(*IMAGE)
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), toolbox.bin_dir(*IMAGE))
        fleet.machines.up()
        try:
            fleet.put("kube-1")
            source = Given(PLAYBOOKS, fleet.root / "cache")
            made = Kubespray(source, state=fleet.root / "state", private_key=fleet.key, timeout=900.0, environment={})
            made.run("kube", Playbook("cluster.yml", _one_host(fleet)), QuietProgress())
            measure(made.kubeconfig("kube"), fleet.root, str(toolbox.ensure("kubectl")["kubectl"].path))
        finally:
            fleet.machines.down()


def measure(kube: Path, folder: Path, kubectl: str) -> None:
    heads = ("ours", "requests", "first look", "requests", "kubectl diff", "ratio")
    print("\n" + "".join(f"{head:>14}" for head in ("objects", *heads)))
    for size in SIZES:
        line = "".join(f"{cell:>14}" for cell in (str(size), *row(kube, folder, kubectl, size)))
        print(line, flush=True)


def row(kube: Path, folder: Path, kubectl: str, size: int) -> Iterator[str]:
    objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}, *some(size - 1)]
    KubernetesApi(kube, wait=600, timeout=60).apply(SPACE, objects, QuietProgress())

    def check() -> None:
        look(kube, folder / f"{size}.json", objects)

    first, asked_first = counted(check)
    looks = [counted(check) for _ in range(RUNS)]
    ours = statistics.median(seconds for seconds, _ in looks)
    yield from (f"{ours:.3f} s", str(looks[-1][1]), f"{first:.2f} s", str(asked_first))
    if size <= KUBECTL_UP_TO:
        theirs = statistics.median(counted(lambda: diff(kube, kubectl, objects))[0] for _ in range(KUBECTL_RUNS))
        yield from (f"{theirs:.1f} s", f"{theirs / ours:.0f}")


def look(kube: Path, cache: Path, objects: list[dict[str, Any]]) -> None:
    found = KubernetesApi(kube, cache=cache, timeout=60).compare(SPACE, objects, ())
    if any(e.fields for e in found.expected):
        raise SystemExit("something differs: nothing to compare")


def diff(kube: Path, kubectl: str, objects: list[dict[str, Any]]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [prepared(m, SPACE) for m in objects]}
    flags = ("diff", "--server-side", "--field-manager=reconciler", "-f", "-")
    command = [kubectl, "--kubeconfig", str(kube), *flags]
    done = subprocess.run(command, input=json.dumps(items), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kubectl diff found something: {done.stdout}{done.stderr}")


def counted(run: Callable[[], None]) -> tuple[float, int]:
    """How many seconds, and how many requests of ours."""
    asked, real = [0], Connection._answer

    def answer(connection: Connection, *args: Any) -> Any:
        asked[0] += 1
        return real(connection, *args)

    Connection._answer = answer  # type: ignore[method-assign]
    began = time.monotonic()
    try:
        run()
    finally:
        Connection._answer = real  # type: ignore[method-assign]
    return time.monotonic() - began, asked[0]


def some(count: int) -> Iterator[dict[str, Any]]:
    """Objects as a cluster has them: configuration, secrets, services, and Deployments of no pods."""
    for number in range(count):
        api, kind, rest = _KINDS[number % len(_KINDS)]
        metadata = {"name": f"{kind.lower()}-{number}", "namespace": SPACE, "labels": {"app": f"a{number}"}}
        yield {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


_POD = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "registry.k8s.io/e2e-test-images/agnhost:2.53",
                "env": [{"name": f"SETTING_{n}", "value": str(n)} for n in range(8)],
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
            }
        ]
    },
}
_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
_DEPLOYMENT = {"spec": {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": _POD}}
_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("v1", "ConfigMap", {"data": {f"key{n}": "value" * 10 for n in range(10)}}),
    ("apps/v1", "Deployment", _DEPLOYMENT),
    ("v1", "Service", {"spec": {"clusterIP": "None", "selector": {"app": "x"}, "ports": [{"port": 80}]}}),
    ("v1", "Secret", {"stringData": {"password": "correct horse"}}),
    ("v1", "ServiceAccount", {}),
    ("rbac.authorization.k8s.io/v1", "Role", {"rules": _RULES}),
    ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
)


if __name__ == "__main__":
    main()
