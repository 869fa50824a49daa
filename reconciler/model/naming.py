"""How a cluster's resources are told from everybody else's, on the desired and on the live side alike."""

from __future__ import annotations

from collections.abc import Mapping

from .resource import Fields, Value

OWNER_KEY = "reconciler.cluster"
GROUP_KEY = "reconciler.group"
# When a server was last rebooted because its node was not Ready: metadata, so that every reconciler knows.
REBOOTED = "reconciler.rebooted"
# The field of a server in ERROR that says what Nova says of it.
FAULT = "fault"
# The field that says whether Terraform's state knows an infrastructure resource; true of this machine only.
IN_STATE = "in_state"
# The field that says what the cloud calls an infrastructure resource; on the desired side its own name.
NAME = "name"
# The field of a live security group rule that says, in pairs, how it is written where git says the same otherwise.
WRITTEN = "written"
# The field of a live security group rule that has the id of the address group it is about. Git has no word for these.
ADDRESSES = "remote_address_group"
# Fields of a live server: the id of the image it was made from, the name its root volume remembers of that, and what
# the cloud calls it today, where git's name is another ("": it is gone); that Nova takes no change of it from anybody
# who does not unlock it; and that it never ran.
IMAGE_ID = "image_id"
IMAGE_NAMED = "image_named"
IMAGE_CALLED = "image_called"
LOCKED = "locked"
NEVER_RAN = "never_ran"
# The fields of a live object that say since when it is being deleted, and what holds it.
GOING = "metadata.deletionTimestamp"
FINALIZERS = "metadata.finalizers"
# The kind of a certificate and the two there are of a cluster. Their fields: when it ends (ISO 8601, UTC); and, False
# where it is there, that the kubeconfig is refused and may be fetched again.
CERTIFICATE = "certificate"
KUBECONFIG = "kubeconfig"
API_SERVER = "api-server"
ENDS = "ends"
TRUSTED = "trusted"
# The kind of what is said of a cluster's snapshots of etcd.
BACKUP = "backup"


def tag(cluster: str) -> str:
    """What every Neutron resource of a cluster carries; servers carry the same as metadata."""
    return f"{OWNER_KEY}={cluster}"


def described(description: str) -> tuple[str, str]:
    """The cluster and the name that a description tells, both empty for none. Terraform's provider sets tags seconds
    after it made something; the description is there at once, so what a killed run left is still known as ours."""
    said, _, rest = (description or "").partition(" ")
    key, _, cluster = said.partition("=")
    return (cluster, rest) if key == OWNER_KEY else ("", "")


def rule_name(fields: Mapping[str, Value]) -> str:
    """A security group rule has no name in Neutron, so it is called what it says: equal rules have equal names."""
    low, high = fields["port_min"], fields["port_max"]
    span = "" if low is None else f" {low}" if low == high else f" {low}-{high}"
    way = "from" if fields["direction"] == "ingress" else "to"
    group, addresses = fields["remote_group"], fields.get(ADDRESSES)
    remote = f"group {group}" if group else fields["remote_ip_prefix"] or "anywhere"
    remote = f"address group {addresses}" if addresses else remote
    said = (fields["security_group"], fields["direction"], fields["ethertype"], fields["protocol"] or "any")
    return f"{' '.join(str(s) for s in said)}{span} {way} {remote}"


# On the pods of researchers' environments: whose it is (a label); whether Cluster Autoscaler may move it; when somebody
# was last seen at work in it, written by whoever sees that; after how many seconds without that it is idle.
OWNER = "research.moc/owner"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
LAST_ACTIVITY = "research.moc/last-activity"
IDLE_AFTER = "research.moc/idle-after"
_FEW = 5  # of what anybody may have written into an object


def going(live: Fields) -> str:
    """Since when an object with these live fields is being deleted, and what holds it; empty for one that stays."""
    if GOING not in live:
        return ""
    names = live.get(FINALIZERS)
    held = ", ".join(map(str, names[:_FEW])) if isinstance(names, tuple) else ""
    return f"is being deleted since {live[GOING]}" + (f", held by its finalizers {held}" if held else "")
