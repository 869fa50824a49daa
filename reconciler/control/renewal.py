"""Renews the certificates of a cluster's control planes, one after another, by the script that Kubespray puts there."""

from __future__ import annotations

from .. import interrupt
from ..errors import Permanent
from ..model.plan import Step
from ..model.resource import Component
from ..spec.load import DesiredCluster
from ..spec.render.kubernetes import Hosts, inventory
from . import host_keys
from .etcd_scripts import AWAIT_API, BEGIN
from .regain import Machines
from .sight import Sight
from .toolkit import Toolkit

_SECONDS = 600.0  # for one machine: kubeadm, the restart of static pods, and the API's coming back
# Who was renewed already is left alone, so that this may be run again. An end within 30 days is what is reported
# (engine/certificates.py); the names are kubeadm's, in Kubespray's folder for them and in its own.
SCRIPT = (
    BEGIN
    + """script=/usr/local/bin/k8s-certs-renew.sh
[ -x $script ] || fail "there is no $script: Kubespray puts it on control planes"
has openssl crictl kubectl
lasts() { openssl x509 -noout -checkend 2592000 >/dev/null 2>&1; }
due() {
    for file in /etc/kubernetes/ssl/apiserver.crt /etc/kubernetes/pki/apiserver.crt; do
        [ ! -e "$file" ] || lasts <"$file" || return 0
    done
    ! sed -n 's/^ *client-certificate-data: *//p' /etc/kubernetes/admin.conf | base64 -d | lasts
}
due || exit 0
$script >&2
"""
    + AWAIT_API
    + """! due || fail "$script ran and renewed nothing: does a timer of its own do it later?"
echo renewed
"""
)


def renew(desired: DesiredCluster, tools: Toolkit, step: Step, sight: Sight) -> None:
    """Renew them on the step's machines, each once the API server of the one before is ready again, and fetch the
    kubeconfig, which has a new certificate too. Raises Transient or Permanent; whoever was renewed before stays so."""
    cluster, servers = desired.cluster, {server.name: server for server in sight.servers}
    if missing := [name for name in step.targets if name not in servers]:
        raise Permanent(f"{', '.join(missing)} has no server in the cloud")
    host_keys.pin(cluster, sight.servers, tools, names=step.targets)
    hosts = inventory(cluster, Hosts(sight.servers))
    with tools.progress.task("renew certificates") as task:
        task.total(len(step.targets))
        for name in step.targets:
            task.status(name)
            interrupt.check_certain()
            if tools.machines.ask(desired.name, hosts, name, SCRIPT, seconds=_SECONDS).strip():
                tools.progress.log(f"the certificates of {name} were renewed")
            task.advance()
    if tools.given(desired.name) is None:
        infrastructure = sight.observed.kinds(Component.INFRASTRUCTURE)
        Machines(cluster, tools, infrastructure, servers).kubeconfig(step.targets)
