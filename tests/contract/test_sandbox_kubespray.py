"""The sandbox's playbooks, as the reconciler and kubectl see them: one cluster from its first node to its last."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from reconciler import process
from reconciler.sandbox.kubespray import PLAYBOOKS

from .fleet import PORT, Fleet, wait_until

# What `make test` needs of these playbooks it sees through the reconciler (tests/e2e/test_lifecycle.py).
pytestmark = [pytest.mark.live, pytest.mark.long]


class Kubespray:
    """Runs the playbooks as the reconciler would: an inventory, a fact cache, extra variables."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.folder = fleet.root / "inventory"
        self.folder.mkdir()
        self.workers: dict[str, dict[str, Any]] = {}

    def play(self, name: str, *arguments: str, check: bool = True) -> process.Completed:
        inventory = self.folder / "hosts.json"
        inventory.write_text(json.dumps(self._inventory()))
        return process.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", inventory, PLAYBOOKS / f"{name}.yml", *arguments],
            cwd=PLAYBOOKS,
            env={
                **os.environ,
                "ANSIBLE_CACHE_PLUGIN": "jsonfile",
                "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.folder / "facts"),
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
                "ANSIBLE_NOCOLOR": "1",
            },
            timeout=300,
            check=check,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        search = f"{self.fleet.bin}:{os.environ['PATH']}"
        config = self.folder / "artifacts/admin.conf"
        argv = ["env", f"PATH={search}", "kubectl", "--kubeconfig", str(config), *arguments]
        return process.run(argv, timeout=60, stdin=stdin).stdout

    def nodes(self) -> dict[str, dict[str, Any]]:
        return {n["metadata"]["name"]: n for n in json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]}

    def ready(self) -> dict[str, str]:
        return {
            name: next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready")
            for name, node in self.nodes().items()
        }

    def _inventory(self) -> Mapping[str, object]:
        def host(name: str, extra: Mapping[str, object]) -> dict[str, object]:
            # The tenant address is nowhere on this machine: nothing may listen on it or connect to it.
            tenant = "10.20.0." + name.rpartition("-")[2]
            return {"ansible_host": self.fleet.address(name), "ip": tenant, "access_ip": tenant, **extra}

        return {
            "all": {
                "vars": {
                    "ansible_user": "cloud",
                    "ansible_port": PORT,
                    "ansible_ssh_private_key_file": str(self.fleet.key),
                    "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
                    "kube_version": "1.36.3",
                    "kubeconfig_localhost": True,
                    "kubeconfig_localhost_ansible_host": True,
                },
                "children": {
                    "kube_control_plane": {"hosts": {"cp-1": host("cp-1", {"etcd_member_name": "etcd1"})}},
                    "etcd": {"hosts": {"cp-1": {}}},
                    "kube_node": {"hosts": {name: host(name, extra) for name, extra in self.workers.items()}},
                },
            }
        }


def changed(done: process.Completed) -> int:
    recap = done.stdout.rpartition("PLAY RECAP")[2]
    return sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))


WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx, volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: once, image: busybox}]}}}
---
apiVersion: route.openshift.io/v1
kind: Route
metadata: {name: web}
spec: {to: {kind: Service, name: web}}
"""


def test_kubespray_makes_grows_upgrades_and_shrinks_a_cluster(fleet: Fleet) -> None:
    for name in ("cp-1", "w-2", "w-3", "w-4"):
        fleet.put(name)
    kubespray = Kubespray(fleet)
    kubespray.workers = {
        "w-2": {"node_labels": {"example.org/pool": "big"}},
        "w-3": {"node_taints": ["gpu=yes:NoSchedule"]},
    }
    _installs(kubespray)
    _runs_workloads(kubespray)
    _grows(kubespray)
    _loses_a_worker(kubespray)
    _upgrades(kubespray)
    _shrinks(kubespray)


def _installs(kubespray: Kubespray) -> None:
    refused = kubespray.play("cluster", "-e", "kube_version=1.36.2", check=False)
    assert refused.exit_code != 0
    assert "kube_version is 1.36.2, but the machines' image has 1.36.3" in refused.stdout
    kubespray.play("cluster")
    assert kubespray.ready() == {"cp-1": "True", "w-2": "True", "w-3": "True"}
    nodes = kubespray.nodes()
    assert nodes["w-2"]["metadata"]["labels"]["example.org/pool"] == "big"
    assert nodes["w-3"]["spec"]["taints"] == [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    assert nodes["cp-1"]["spec"]["taints"] == [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes.values()} == {"v1.36.3"}
    assert nodes["w-2"]["status"]["addresses"][0] == {"type": "InternalIP", "address": "10.20.0.2"}
    before = kubespray.fleet.running()
    again = kubespray.play("cluster")
    assert changed(again) == 0, again.stdout
    assert set(before) <= set(kubespray.fleet.running()), "a second run restarted something"


def _runs_workloads(kubespray: Kubespray) -> None:
    kubespray.kubectl("apply", "-f", "-", stdin=WORKLOAD)
    kubespray.kubectl("rollout", "status", "deployment/web", "--timeout", "30s")
    kubespray.kubectl("wait", "--for=condition=Complete", "job/once", "--timeout", "30s")
    assert kubespray.kubectl("get", "pvc", "data", "-o", "jsonpath={.status.phase}") == "Bound"
    where = kubespray.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}")
    assert where.split() == ["w-2"] * 4


def _grows(kubespray: Kubespray) -> None:
    kubespray.workers["w-4"] = {"node_labels": {"example.org/pool": "new"}}
    kubespray.play("facts")
    kubespray.play("scale", "--limit", "w-4")
    assert kubespray.ready()["w-4"] == "True"
    assert kubespray.nodes()["w-4"]["metadata"]["labels"]["example.org/pool"] == "new"


def _loses_a_worker(kubespray: Kubespray) -> None:
    fleet = kubespray.fleet
    fleet.delete("w-2")
    wait_until(lambda: not fleet.running("w-2"), 5, "w-2's processes to end")
    wait_until(lambda: kubespray.ready()["w-2"] == "Unknown", 30, "w-2 to be NotReady")
    assert kubespray.ready() == {"cp-1": "True", "w-2": "Unknown", "w-3": "True", "w-4": "True"}
    dead = ("-e", "reset_nodes=false", "-e", "allow_ungraceful_removal=true")
    kubespray.play("remove-node", "-e", "node=w-2", "-e", "skip_confirmation=true", *dead)
    del kubespray.workers["w-2"]
    assert kubespray.ready().keys() == {"cp-1", "w-3", "w-4"}
    kubespray.kubectl("rollout", "status", "deployment/web", "--timeout", "60s")


def _upgrades(kubespray: Kubespray) -> None:
    kubespray.play("upgrade-cluster", "-e", "kube_version=1.36.2")
    nodes = kubespray.nodes()
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes.values()} == {"v1.36.2"}
    assert not any(n["spec"].get("unschedulable") for n in nodes.values())


def _shrinks(kubespray: Kubespray) -> None:
    unnamed = kubespray.play("remove-node", "-e", "skip_confirmation=true", check=False)
    assert unnamed.exit_code != 0
    kubespray.play("remove-node", "-e", "node=w-4", "-e", "skip_confirmation=true")
    assert kubespray.ready() == {"cp-1": "True", "w-3": "True"}
    assert kubespray.fleet.running("w-4") == []
    assert not (kubespray.fleet.home("w-4") / "etc").exists()
    kubespray.play("reset", "-e", "reset_confirmation=true")
    assert kubespray.fleet.running("cp-1") == kubespray.fleet.running("w-3") == []
