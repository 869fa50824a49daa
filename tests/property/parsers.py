"""Everything that reads bytes which strangers, machines or pushers wrote, each with samples of what is right."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from reconciler.adapters.git import lease_file
from reconciler.adapters.helm.index import archive_url
from reconciler.adapters.kubespray import known_hosts
from reconciler.adapters.kubespray.events import Events
from reconciler.adapters.terraform import documents, folder, unread
from reconciler.adapters.terraform.failure import failure
from reconciler.adapters.terraform.plan import Plan
from reconciler.adapters.terraform.stream import Follower
from reconciler.control import host_keys, images, record, shapes
from reconciler.engine.host_keys import of_console
from reconciler.process import Completed, Redactor
from reconciler.progress import QuietProgress
from reconciler.serve import webhook
from reconciler.spec import kubeconfig, sops
from reconciler.spec.yaml import Unreadable

WRITTEN = Path(__file__).parents[1] / "fixtures" / "0.1.0"  # by an earlier version


@dataclass(frozen=True, slots=True)
class Parser:
    """How bytes are read, and right ones. Reading raises nothing but our own errors."""

    read: Callable[[bytes], object]
    samples: tuple[bytes, ...]


def _text(document: object) -> bytes:
    return json.dumps(document).encode()


# Terraform

_SERVER = "openstack_compute_instance_v2"
_CHANGE = {"actions": ["delete", "create"], "before": {"a": 1}, "after": {"a": 2}, "replace_paths": [["a"]]}
_PLAN = {
    "resource_changes": [
        {"address": f'{_SERVER}.server["w"]', "mode": "managed", "type": _SERVER, "change": _CHANGE},
        {
            "address": "a.b",
            "mode": "managed",
            "type": "a",
            "change": {"actions": ["update"], "before": {"tags": []}, "after": {"tags": ["x"]}, "after_unknown": {}},
        },
    ]
}
_INSTANCE = {"index_key": "w", "attributes": {"id": "1"}, "status": "tainted"}
_STATE = {
    "version": 4,
    "serial": 3,
    "resources": [{"mode": "managed", "type": _SERVER, "name": "server", "instances": [_INSTANCE]}],
}
_HOOK = {"resource": {"resource_type": _SERVER, "resource_key": "w"}, "action": "create", "elapsed_seconds": 3.5}
_DIAGNOSTIC = {"severity": "error", "summary": "no", "detail": 'x "message": "quota"', "address": "a.b"}


def _plan(text: bytes) -> object:
    document = documents.plan(text)
    return Plan.of(document, changes=True), unread.changes(document)


def _state(text: bytes) -> object:
    state = documents.state(documents.decoded(text), "the tests' backend")
    return folder.addresses(state), folder.ids(state), folder.tainted(state)


def _stream(text: bytes) -> object:
    line = text.decode("utf-8", "replace")
    progress = QuietProgress()
    with progress.task("apply") as task:
        Follower(task, progress)(line)
    return failure(Completed("tofu apply", 1, line, "", 0.1), Redactor())


# the daemon's door

_PUSH = {"ref": "refs/heads/main", "after": "0" * 40, "repository": {"full_name": "a/b"}, "commits": [{"id": "1"}]}


def _webhook(text: bytes) -> object:
    try:
        return [
            webhook.delivery({"x-github-event": "push"}, text),
            webhook.delivery({"x-gitlab-event": "System Hook"}, text),
        ]
    except webhook.Malformed:
        return None


# the observed branch and leases


def _yaml(document: object) -> bytes:
    return yaml.safe_dump(document).encode()


_RULE = {"kind": "security_group_rule", "name": "demo ingress", "fields": {"port_min": 22, "tags": ["a"], "on": True}}
_OBJECT = {"kind": "Deployment", "name": "sid/backend", "digest": "0" * 64, "type": "apps/v1/Deployment", "wave": 1}
_APPLIED = {"infrastructure": [_RULE], "workloads": [_OBJECT], "kubernetes": [], "applications": []}
_OBSERVED = {"cluster": "demo", "status": "failed", "failed": {"commit": "c" * 40, "error": "no"}, "components": {}}
_DRIFT = [{"component": "infrastructure", "kind": "server", "name": "a", "field": "flavor", "class": "drift"}]
_OUTPUTS = {"api.endpoint": "https://192.0.2.1:6443", "services.sid/backend.address": "192.0.2.2"}
_LEASE = {
    "number": 3,
    "host": "a",
    "pid": 7,
    "id": "x",
    "commit": "c" * 40,
    "since": "2026-11-29T10:00:00+00:00",
    "expires": "2026-11-29T10:05:00+00:00",
    "tookOver": "",
    "released": "",
}


def _outputs(text: bytes) -> object:
    try:
        return shapes.read(shapes.OUTPUTS, "outputs.yaml", text, {})
    except Unreadable:
        return None


# machines, charts, encrypted files


def _fetched_kubeconfig() -> bytes:
    with tarfile.open(WRITTEN / "state.tar.gz") as archive:
        (name,) = (name for name in archive.getnames() if name.endswith("/admin.conf"))
        file = archive.extractfile(name)
        assert file
        return file.read()


_AGE = {
    "recipient": "age1" + "q" * 58,
    "enc": "-----BEGIN AGE ENCRYPTED FILE-----\nA\n-----END AGE ENCRYPTED FILE-----\n",
}
_MAC = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
_METADATA = {"age": [_AGE], "lastmodified": "2026-11-29T10:00:00Z", "mac": _MAC, "version": "3.13.3"}
_SOPS = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": _MAC}, "sops": _METADATA}
_EVENTS = (
    {"event": "playbook_on_play_start", "event_data": {"play": "all"}},
    {"event": "playbook_on_task_start", "event_data": {"task": "wait"}},
    {
        "event": "runner_on_failed",
        "event_data": {"host": "a", "task": "t", "res": {"msg": "no", "results": [{"failed": True}]}},
    },
    {"event": "playbook_on_stats", "event_data": {"ok": {"a": 1}, "failures": {"a": 1}, "dark": {}}},
)
_INDEX = {"entries": {"web": [{"version": "1.0.0", "urls": ["web-1.0.0.tgz"]}, {"version": "v2", "urls": []}]}}


def _events(text: bytes) -> object:
    """One event as ansible-runner gives it: JSON from a program of ours, with what a machine said in it."""
    event = documents.decoded(text)
    with QuietProgress().task("playbook") as task:
        events = Events(task, 2)
        events(event if isinstance(event, dict) else {})
        return events.failures(), events.recap()


def _kubeconfig(text: bytes) -> object:
    return kubeconfig.rebuilt("admin.conf", text)


def _sops(text: bytes) -> object:
    keys = sops.Keys()
    return sops.reduced("manifests/a/s.yaml", text, keys), sops.closed("manifests/a/s.yaml", text)


def _index(text: bytes) -> object:
    return archive_url(text, "https://charts.example.org", "web", "1.0.0")


_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG0h5sVZ0l5o1VbqXZ2pQqQ8r0n6cT8hN4v5Zqf7yJ8b"
_HOSTS = {"0b1c": {"keys": [_HOST_KEY], "source": "console", "address": "192.0.2.7"}}
_CONSOLE = (
    f"[    1.0] Linux\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{_HOST_KEY} root@demo\r\n"
    "-----END SSH HOST KEY KEYS-----\r\n"
).encode()


def _known_hosts(text: bytes) -> object:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(text)
        return known_hosts.read(Path(file.name), [("192.0.2.7", 22), ("192.0.2.8", 2222)])


PARSERS: dict[str, Parser] = {
    "terraform plan": Parser(_plan, (_text(_PLAN),)),
    "terraform state": Parser(_state, (_text(_STATE),)),
    "terraform stream": Parser(
        _stream,
        tuple(
            _text({"@message": "m", "type": kind, **rest})
            for kind, rest in (
                ("refresh_start", {"hook": _HOOK}),
                ("apply_complete", {"hook": _HOOK}),
                ("apply_errored", {"hook": _HOOK}),
                ("diagnostic", {"diagnostic": _DIAGNOSTIC}),
            )
        ),
    ),
    "webhook": Parser(_webhook, (_text(_PUSH),)),
    "applied.yaml": Parser(record.read_applied, (_yaml(_APPLIED),)),
    "observed.yaml": Parser(record.read_failed, (_yaml(_OBSERVED),)),
    "drift.yaml": Parser(record.read_drift, (_yaml(_DRIFT),)),
    "outputs.yaml": Parser(_outputs, (_yaml(_OUTPUTS),)),
    "images.yaml": Parser(lambda text: images.read(text, lambda _: None), (_yaml({"0b1c": ["ubuntu-24.04"]}),)),
    "hosts.yaml": Parser(lambda text: host_keys.read(text, lambda _: None), (_yaml(_HOSTS),)),
    "console log": Parser(lambda text: of_console(text.decode("utf-8", "replace")), (_CONSOLE,)),
    "known_hosts": Parser(_known_hosts, (f"192.0.2.7 {_HOST_KEY} console\n[192.0.2.8]:2222 {_HOST_KEY}\n".encode(),)),
    "lease": Parser(lease_file.read, (_text(_LEASE),)),
    "kubeconfig": Parser(_kubeconfig, (_fetched_kubeconfig(),)),
    "sops": Parser(_sops, (_yaml(_SOPS),)),
    "ansible event": Parser(_events, tuple(_text(event) for event in _EVENTS)),
    "chart index": Parser(_index, (_yaml(_INDEX),)),
}
