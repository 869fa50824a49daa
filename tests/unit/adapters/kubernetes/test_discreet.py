"""What a server says of a Secret is not repeated; what helps to mend it is, and holds no value."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reconciler.adapters.kubernetes.connection import Conflict, Forbidden, NotFound, Owned, Rejected, Request, failure
from reconciler.adapters.kubernetes.reasons import trouble
from reconciler.errors import Permanent, ReconcilerError, Transient

CANARY = "canary-7f3a91c0"
CODED = base64.b64encode(CANARY.encode()).decode()
PATH = "/api/v1/namespaces/sid/secrets/s"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"port": 5432, "word": CODED}}


def said(status: int, answer: dict[str, Any], path: str = PATH, sent: object = SECRET) -> ReconcilerError:
    return failure(status, answer, Request("PATCH", path, sent), "kubeconfig")


# Each as a real server of 1.36 answers, or as a webhook may.
ANSWERS: list[tuple[int, dict[str, Any], type[ReconcilerError]]] = [
    (500, {"message": f"failed to create typed patch object (sid/s; /v1, Kind=Secret): .data.port: expected string, "
                      f"got &value.valueUnstructured{{Value:{CANARY}}}"}, Rejected),
    (400, {"message": f'admission webhook "x.example.org" denied the request: {CANARY} is too weak'}, Rejected),
    (403, {"message": f'admission webhook "x.example.org" denied the request: {CODED}', "reason": CANARY}, Forbidden),
    (403, {"message": f'secrets "s" is forbidden: User "{CANARY} x" cannot patch resource "secrets"'}, Forbidden),
    (422, {"message": f'Secret "s" is invalid: data[word]: Invalid value: "{CANARY}": no', "reason": "Invalid",
           "details": {"causes": [{"field": "data[word]", "message": CANARY}, {"field": CANARY}]}}, Rejected),
    (409, {"message": f'Apply failed with 1 conflict: conflict with "{CANARY}": .data.word', "reason": "Conflict",
           "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".data.word"}]}}, Owned),
    (409, {"message": CANARY}, Conflict),
    (404, {"message": CANARY}, NotFound),
    (503, {"message": f"upstream said {CANARY}"}, Transient),
    (500, {"message": f"Internal error: {CANARY}"}, Transient),
    (403, {"message": f'secrets "{CANARY} {CANARY}" is forbidden: it is being terminated'}, Transient),
    (418, {"message": [CANARY], "reason": {"a": CANARY}, "details": CANARY}, Rejected),
    (418, {"message": CANARY, "details": {"causes": [CANARY, {"field": [CANARY]}]}}, Rejected),
    (409, {"message": CANARY, "details": CANARY}, Conflict),
    (422, {"message": f'Secret "s" is invalid: data[word]: Required value\n{CANARY}'}, Rejected),
]  # fmt: skip


@pytest.mark.parametrize(("status", "answer", "kind"), ANSWERS)
@pytest.mark.parametrize("sent", [SECRET, None, [CANARY], {"data": CANARY}])
@pytest.mark.parametrize("path", [PATH, "/api/v1/namespaces/sid/secrets", "/api/v1/secrets", f"{PATH}?dryRun=All"])
def test_nothing_of_a_secret_is_repeated(
    status: int, answer: dict[str, Any], kind: type[ReconcilerError], sent: object, path: str
) -> None:
    error = said(status, answer, path, sent)
    assert type(error) is kind or isinstance(error, kind)
    for canary in (CANARY, CODED):
        assert canary not in f"{error.message} {error.hint} {error.evidence} {error!r}"
    assert str(status) in error.message


def test_the_fields_that_it_speaks_of_are_named() -> None:
    assert "HTTP 500: data.port" in said(*ANSWERS[0][:2]).message
    assert "HTTP 422 Invalid: data.word" in said(*ANSWERS[4][:2]).message


@pytest.mark.parametrize(
    "message",
    [
        'secrets "s" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "secrets" in API group "" in '
        'the namespace "sid"',
        'secrets is forbidden: User "jo@a.org" cannot list resource "secrets" in API group "" at the cluster scope',
        'secrets "s" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=3, limited: secrets=3',
        'namespaces "sid" not found',
        'Secret "s" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    ],
)
def test_what_has_no_place_for_a_value_is_repeated(message: str) -> None:
    assert said(403, {"message": message}).message == message


def test_what_is_said_of_other_kinds_is_repeated() -> None:
    for path in ("/api/v1/namespaces/secrets/configmaps/s", "/apis/example.org/v1/namespaces/sid/secrets/s"):
        assert said(400, {"message": CANARY}, path).message == CANARY


def test_nobody_is_asked_about_a_secret_that_is_not_healthy() -> None:
    secret = {**SECRET, "status": {"conditions": [{"type": "Ready", "status": "False", "message": CANARY}]}}

    class Silent:
        def items(self, *_: object, **__: object) -> list[dict[str, Any]]:
            raise Permanent("was asked")

    assert trouble(Silent(), secret).text == ""  # type: ignore[arg-type]
