"""What runs on a cluster's machines to save and restore etcd, as root, by the files that Kubespray puts there.

Kubespray (etcd_deployment_type: host, its default, or docker) has /etc/etcd.env, a service called etcd, etcdctl and
etcdutl in /usr/local/bin (Flatcar: /opt/bin), and static pods below /etc/kubernetes/manifests. Its own
recover-control-plane.yml takes a snapshot too, but restores it on the first member only, and with `etcdctl snapshot
restore`, which etcd 3.6 has no more.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

# The file is data and not a script: only names that begin as these are taken, and nothing of a value is run.
BEGIN = """set -eu
umask 077
PATH=$PATH:/usr/local/bin:/opt/bin
fail() { echo "$*" >&2; exit 1; }
has() { for program; do command -v "$program" >/dev/null || fail "there is no $program"; done; }
free() { df -Pk "$1" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4; }
"""
_ENVIRONMENT = """[ -r /etc/etcd.env ] || fail "there is no /etc/etcd.env: etcd is not installed here as a service"
ETCD_DATA_DIR= ETCD_NAME= ETCD_INITIAL_ADVERTISE_PEER_URLS= ETCD_INITIAL_CLUSTER_TOKEN= ETCD_WAL_DIR=
while IFS='=' read -r key value || [ -n "$key" ]; do
    case $key in
    ETCDCTL_*) export "$key=$value" ;;
    ETCD_DATA_DIR | ETCD_NAME | ETCD_INITIAL_ADVERTISE_PEER_URLS | ETCD_INITIAL_CLUSTER_TOKEN | ETCD_WAL_DIR)
        eval "$key=\\$value" ;;
    esac
done </etc/etcd.env
data=$ETCD_DATA_DIR
[ -n "$data" ] || fail "/etc/etcd.env names no ETCD_DATA_DIR"
"""
_COMPONENTS = "kube-apiserver kube-controller-manager kube-scheduler"
# After BEGIN: waits until this machine's API server runs and an API server is ready.
AWAIT_API = """end=$(($(date +%s) + 180))
until [ -n "$(crictl ps --quiet --name '^kube-apiserver$')" ] &&
    kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=5s get --raw /readyz >/dev/null 2>&1; do
    [ "$(date +%s)" -lt $end ] || fail "kube-apiserver is not ready"
    sleep 1
done
"""
_UPLOAD = '"$HOME/.reconciler-restore"'
HEADER = "reconciler-snapshot"
INCOMPLETE, MOST_MADE = "incomplete", 1000


def save(*, healthy: bool) -> str:
    """Prints one line, HEADER with size, SHA-256 and etcdutl's JSON, and then the snapshot's bytes. With `healthy` only
    where the member is one of a quorum. Nothing of it stays on the machine, and what a cut connection may have left is
    removed by the next. Where it would take most of the room that is left none is taken: etcd may need that. And the
    member is asked first whether it answers, since `snapshot save` waits for one that does not without an end."""
    asked = "health" if healthy else "status"
    return (
        BEGIN
        + _ENVIRONMENT
        + """has etcdctl etcdutl sha256sum mktemp find
base=${TMPDIR:-/var/tmp} db=$data/member/snap/db
find "$base" -maxdepth 1 -type d -user "$(id -u)" -name 'reconciler-snapshot.*' -mmin +240 -exec rm -rf {} +
folder=$(mktemp -d "$base/reconciler-snapshot.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT PIPE TERM
"""
        + f"""etcdctl endpoint {asked} >&2
size=0
[ ! -e "$db" ] || size=$(($(wc -c <"$db") / 1024))
[ "$(free "$base")" -gt $((size * 2)) ] || fail "$base has no room for a snapshot beside what etcd itself needs"
etcdctl snapshot save "$folder/etcd.db" >&2
status=$(etcdutl --write-out=json snapshot status "$folder/etcd.db")
sum=$(sha256sum <"$folder/etcd.db")
echo "{HEADER} $(wc -c <"$folder/etcd.db") ${{sum%% *}} $status"
cat "$folder/etcd.db"
"""
    )


def member() -> str:
    """Prints what a restored cluster has to know of this member: its name, the URL its peers reach it by, the cluster's
    token, and how many KiB are free for its data. Changes nothing."""
    return (
        BEGIN
        + _ENVIRONMENT
        + """has etcdctl etcdutl sha256sum systemctl
systemctl cat etcd >/dev/null 2>&1 || fail "etcd is no service of systemd here"
[ -z "$ETCD_WAL_DIR" ] || fail "its log is in a folder of its own ($ETCD_WAL_DIR), which is not restored"
place=$data
while [ ! -d "$place" ]; do place=$(dirname "$place"); done
echo "$ETCD_NAME $ETCD_INITIAL_ADVERTISE_PEER_URLS ${ETCD_INITIAL_CLUSTER_TOKEN:-etcd-cluster}" \\
    "$(free "$place")"
"""
    )


def upload(digest: str) -> str:
    """Takes a snapshot from stdin, and fails unless its SHA-256 is `digest`."""
    return f"""set -eu
umask 077
rm -rf {_UPLOAD}
mkdir {_UPLOAD}
cat >{_UPLOAD}/etcd.db
echo "{digest}  "{_UPLOAD}/etcd.db | sha256sum -c --status && exit
echo "what arrived is not what was sent" >&2
exit 1
"""


def stage(name: str, url: str, token: str, members: Sequence[str], raised: int) -> str:
    """Makes the member's new data beside what it has, while everything still runs. `members` are those of the restored
    cluster as name=URL. Revisions are `raised` by so much, and those of before count as compacted."""
    options = {
        "--name": name,
        "--initial-advertise-peer-urls": url,
        "--initial-cluster-token": token,
        "--initial-cluster": ",".join(members),
        "--bump-revision": str(raised),
    }
    said = " ".join(f"{option} {shlex.quote(value)}" for option, value in options.items())
    return (
        BEGIN
        + _ENVIRONMENT
        + f"""mkdir -p "$data"
rm -rf "$data/restoring"
etcdutl snapshot restore {_UPLOAD}/etcd.db --data-dir "$data/restoring" --mark-compacted {said} >&2
chown -R --reference="$data" "$data/restoring"
rm -rf {_UPLOAD}
"""
    )


def control_plane() -> str:
    """Fails on a machine whose control plane could not be stopped and started. Changes nothing."""
    return (
        BEGIN
        + """has crictl kubectl systemctl
[ -d /etc/kubernetes/manifests ] || fail "there are no static pods in /etc/kubernetes/manifests"
systemctl is-active --quiet kubelet || fail "its kubelet does not run, which stops and starts its control plane"
crictl version >/dev/null 2>&1 || fail "its container runtime does not answer crictl"
"""
    )


def stop_control_plane() -> str:
    """Takes the static pods' manifests out of the kubelet's sight, and waits until the runtime says that nothing of
    them runs."""
    return (
        BEGIN
        + f"""stopped=/etc/kubernetes/reconciler-stopped
mkdir -p $stopped
for name in {_COMPONENTS}; do
    [ ! -e /etc/kubernetes/manifests/$name.yaml ] || mv /etc/kubernetes/manifests/$name.yaml $stopped/$name.yaml
done
end=$(($(date +%s) + 180))
for name in {_COMPONENTS}; do
    until running=$(crictl ps --quiet --name "^$name\\$") && [ -z "$running" ]; do
        [ "$(date +%s)" -lt $end ] || fail "$name does not stop"
        sleep 1
    done
done
"""
    )


def start_control_plane() -> str:
    """Puts them back, and waits until this machine's API server runs and an API server is ready."""
    return (
        BEGIN
        + f"""stopped=/etc/kubernetes/reconciler-stopped
for name in {_COMPONENTS}; do
    [ ! -e $stopped/$name.yaml ] || mv $stopped/$name.yaml /etc/kubernetes/manifests/$name.yaml
done
rm -rf $stopped
"""
        + AWAIT_API
    )


def stop_etcd() -> str:
    """Stops the member."""
    return BEGIN + "systemctl stop etcd\n"


def swap() -> str:
    """Puts the staged data in the place of what the member had, which stays beside it as `before-restore`. A restore
    that was killed and begins again never takes its own half for what was there before."""
    return (
        BEGIN
        + _ENVIRONMENT
        + """before=$data/before-restore unfinished=$data/restore-unfinished
[ -d "$data/restoring/member" ] || fail "nothing is prepared here"
[ -e "$unfinished" ] || { rm -rf "$before"; : >"$unfinished"; }
if [ -e "$before" ]; then rm -rf "$data/member"; elif [ -e "$data/member" ]; then mv "$data/member" "$before"; fi
mv "$data/restoring/member" "$data/member"
rmdir "$data/restoring"
"""
    )


def start_etcd() -> str:
    """Starts the member, and does not wait: it is ready once most of the others are there."""
    return BEGIN + "systemctl start --no-block etcd\n"


def await_etcd() -> str:
    """Waits until the member is one of a quorum."""
    return (
        BEGIN
        + _ENVIRONMENT
        + """end=$(($(date +%s) + 180))
until reason=$(etcdctl endpoint health 2>&1); do
    [ "$(date +%s)" -lt $end ] || fail "etcd is not healthy: $reason"
    sleep 1
done
"""
    )


def finish() -> str:
    """Removes what a restore left, but for `before-restore`."""
    return (
        BEGIN
        + _ENVIRONMENT
        + f"""rm -rf {_UPLOAD} "$data/restoring"
rm -f "$data/restore-unfinished"
"""
    )


def give_up() -> str:
    """Removes what was prepared, where nothing was changed yet."""
    return BEGIN + _ENVIRONMENT + f'rm -rf {_UPLOAD} "$data/restoring"\n'


def nodes() -> str:
    """Prints "node/NAME" for each node that the API knows."""
    return BEGIN + "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=20s get nodes --output=name\n"


def restart_kubelet() -> str:
    """A kubelet makes its node only when it starts. Its pods run on."""
    return BEGIN + "systemctl restart kubelet\n"


def made_since(moment: str) -> str:
    """Prints "kind namespace name" of what was made after `moment` (ISO 8601, UTC, with Z), in MOST_MADE lines at the
    most; and INCOMPLETE where some kind could not be listed."""
    kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
    columns = "custom-columns=K:.kind,N:.metadata.namespace,M:.metadata.name,T:.metadata.creationTimestamp"
    return (
        BEGIN
        + f"""{kubectl} --request-timeout=5s get --raw /readyz >/dev/null 2>&1 || fail "its API is not ready"
kinds=$({kubectl} api-resources --verbs=list,get --output=name 2>/dev/null |
    grep -v -e '^events' -e '^componentstatuses$' -e '[.]metrics[.]k8s[.]io$' | paste -sd, -)
[ -n "$kinds" ] || fail "its API does not answer"
rest=
listed=$({kubectl} --request-timeout=20s get "$kinds" --all-namespaces --ignore-not-found --no-headers \
    --output={columns}) || rest={INCOMPLETE}
[ -z "$rest" ] || [ -n "$listed" ] || fail "its API does not list what there is"
printf '%s\n' "$listed" |
    awk -v moment={shlex.quote(moment)} '$4 != "<none>" && $4 > moment {{ print $1, $2, $3 }}' | head -n {MOST_MADE}
echo $rest
"""
    )
