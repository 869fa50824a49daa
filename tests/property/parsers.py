"""Everything that reads bytes which strangers, machines or pushers wrote, each with samples of what is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.adapters.terraform import documents, folder, unread
from reconciler.adapters.terraform.failure import failure
from reconciler.adapters.terraform.plan import Plan
from reconciler.adapters.terraform.stream import Follower
from reconciler.process import Completed, Redactor
from reconciler.progress import QuietProgress
from reconciler.serve import webhook


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
}
