"""What a machine is asked about a Kubernetes on it, and how its answer is read: a stranger's word.

The script only reads. It fails where it may not look into a folder: what is hidden is not absent.
"""

from __future__ import annotations

import re

from ..errors import Permanent
from ..model.presence import Traces

# Kubespray's etcd says in etcd.env where its data is; kubeadm's lies at the default place. Kubelets have their
# kubeconfig and their configuration under the names that kubeadm and Kubespray give them.
SCRIPT = r"""
named=
if [ -e /etc/etcd.env ]; then
  named=$(sed -n 's/^ETCD_DATA_DIR=//p' /etc/etcd.env | tail -n 1 | tr -d "\"'") || exit 1
fi
for folder in /etc/kubernetes /var/lib/kubelet /var/lib/etcd "$named"; do
  if [ -n "$folder" ] && [ -e "$folder" ] && [ ! -x "$folder" ]; then
    echo "may not look into $folder" >&2
    exit 1
  fi
done
etcd=no kubelet=no kubeconfig=no members=
for folder in /var/lib/etcd "$named"; do
  [ -n "$folder" ] && [ -e "$folder/member" ] && etcd=yes
done
for file in /etc/kubernetes/kubelet.conf /etc/kubernetes/kubelet-config.yaml /var/lib/kubelet/config.yaml; do
  [ -e "$file" ] && kubelet=yes
done
[ -e /etc/kubernetes/admin.conf ] && kubeconfig=yes
PATH=$PATH:/usr/local/bin:/opt/bin
if [ $etcd = yes ] && [ -e /etc/etcd.env ] && command -v etcdctl >/dev/null; then
  members=$( (set -a; . /etc/etcd.env; ETCDCTL_API=3 timeout 5 etcdctl member list -w simple) 2>/dev/null |
    cut -d, -f3 | tr -d ' ' | head -n 99 | tr '\n' ',')
fi
instance=$(head -n 1 /var/lib/cloud/data/instance-id 2>/dev/null)
echo "traces: etcd=$etcd kubelet=$kubelet kubeconfig=$kubeconfig instance=$instance members=$members"
"""

KUBECONFIG_SCRIPT = "echo kubeconfig:\ncat /etc/kubernetes/admin.conf\n"

# Whether an API answers who asks on the machine itself, whatever is between it and us.
API_SCRIPT = r"""
PATH=$PATH:/usr/local/bin
echo "api: $(timeout 10 kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /livez </dev/null 2>/dev/null)"
"""

_MOST = 16 << 10
_ANSWER = re.compile(
    r"traces: etcd=(yes|no) kubelet=(yes|no) kubeconfig=(yes|no)"
    r" instance=([ -~]{0,100}?) members=((?:[A-Za-z0-9._-]{1,253},){0,99})"
)
# EC2's sort of id (i-0000002a) is not Nova's.
_SERVER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def kubeconfig(text: str) -> str:
    """Of a machine's answer to KUBECONFIG_SCRIPT, what comes after a greeting: a stranger's file still."""
    greeting, mark, content = f"\n{text}".partition("\nkubeconfig:\n")
    return content if mark else greeting[1:]


def living(text: str) -> bool:
    """Read a machine's answer to API_SCRIPT: does an API answer there?"""
    return "api: ok" in (line.rstrip("\r") for line in text[-_MOST:].splitlines())


def read(machine: str, text: str) -> Traces:
    """Read a machine's answer to SCRIPT. A greeting before it is no matter. Raises Permanent for anything else than one
    whole answer."""
    lines = [line.rstrip("\r") for line in text[-_MOST:].splitlines() if line.startswith("traces:")]
    answer = _ANSWER.fullmatch(lines[0]) if len(lines) == 1 else None
    if answer is None:
        raise Permanent(
            f"{machine} does not say in words that we know whether a Kubernetes is on it",
            hint="log in (reconciler ssh) and see what its shell prints",
        )
    etcd, kubelet, kubeconfig = (word == "yes" for word in answer.groups()[:3])
    instance = answer[4] if _SERVER.fullmatch(answer[4]) else ""
    members = frozenset(name for name in answer[5].split(",") if name)
    return Traces(etcd, kubelet, kubeconfig, instance, members)
