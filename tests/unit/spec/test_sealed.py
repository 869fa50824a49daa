"""What SOPS keeps as JSON is opened like what it keeps as YAML, and passed on without its notes."""

from __future__ import annotations

import json

from reconciler.spec import sealed

CLOSED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"


def test_encrypted_values_of_json_are_paired_with_what_they_are() -> None:
    raw = {"a.json": json.dumps({"stringData": {"a": CLOSED}, "sops": {"version": "3"}}).encode()}
    assert sealed.opened(raw, {"a.json": b'{"stringData": {"a": "plain"}}'}) == {CLOSED: "plain"}


def test_json_on_one_line_loses_the_notes_and_nothing_else() -> None:
    text = json.dumps({"sops": {"version": "3"}, "a": [1, None, CLOSED]}).encode()
    assert json.loads(sealed.without_sops("a.json", text)) == {"a": [1, None, CLOSED]}
    assert sealed.without_sops("a.json", b'{"a": 1}') == b'{"a": 1}'
