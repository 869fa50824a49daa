"""What SOPS encrypted may lie in a Secret's data, as text, and nowhere else, whatever a program made of it."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.spec import sealed

CLOSED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
WORD = (
    "ENC[AES256_GCM,data:bm90IGEgc2VjcmV0,iv:Yx0m1o2pQkq7r8sVt9wXz2aRcQeFgPiWkLb7oPzRsTs=,"
    "tag:q1W2e3R4t5Y6u7I8o9P0aA==,type:str]"
)
NUMBER = WORD.replace("q1W2", "zZ9x").replace("type:str", "type:int")
CODED = CLOSED
RAW = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: s}}
data: {{coded: '{CODED}'}}
stringData:
  word: {WORD}
  number: {NUMBER}
sops: {{mac: '{CLOSED.replace("dw==", "eA==")}', version: 3.13.3}}
"""
CANARY = "canary-7f3a91c0"
CLEAR = RAW.replace(WORD, CANARY).replace(NUMBER, "5432").replace(CODED, "b25l").partition("sops:")[0]
FILE = "manifests/sid/s.yaml"
KNOWN = sealed.values({FILE: RAW.encode()}, {FILE: CLEAR.encode()})
LIES = "would come to lie in"
CHANGED = "can't be opened"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(section: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, section: {"a": value}, **more}


def test_encrypted_values_of_json_are_paired_with_what_they_are() -> None:
    raw = {"a.json": json.dumps({"stringData": {"a": CLOSED}, "sops": {"version": "3"}}).encode()}
    assert sealed.opened(raw, {"a.json": b'{"stringData": {"a": "plain"}}'}) == {CLOSED: "plain"}


def test_json_on_one_line_loses_the_notes_and_nothing_else() -> None:
    text = json.dumps({"sops": {"version": "3"}, "a": [1, None, CLOSED]}).encode()
    assert json.loads(sealed.without_sops("a.json", text)) == {"a": [1, None, CLOSED]}
    assert sealed.without_sops("a.json", b'{"a": 1}') == b'{"a": 1}'


@pytest.mark.parametrize(
    ("section", "value", "clear"),
    [
        ("stringData", WORD, CANARY),
        ("stringData", f"db://me:{WORD}@db?x={WORD}", f"db://me:{CANARY}@db?x={CANARY}"),
        ("stringData", f"Authorization: Basic {b64(f'me:{WORD}')}", f"Authorization: Basic {b64(f'me:{CANARY}')}"),
        ("data", CODED, "b25l"),
        ("data", b64(f"x{WORD}"), b64(f"x{CANARY}")),
        ("data", b64(json.dumps({"auth": b64(f"me:{WORD}")})), b64(json.dumps({"auth": b64(f"me:{CANARY}")}))),
        ("data", "cHVibGlj", "cHVibGlj"),
        ("stringData", "no secret, and a long word: abcdefghijklmnopqrstuvwxyz", None),
    ],
)
def test_a_value_is_opened_whole_in_a_secrets_data(section: str, value: str, clear: str | None) -> None:
    manifest = secret(section, value, sops={"mac": CLOSED})
    assert sealed.leaks(manifest, KNOWN) == []
    assert sealed.unsealed(manifest, KNOWN) == secret(section, clear or value)


OTHER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
LEAKS: list[tuple[dict[str, Any], str]] = [
    ({**OTHER, "data": {"a": WORD}}, LIES),
    ({**OTHER, "data": {"a": f"x {WORD} y"}}, LIES),
    ({**OTHER, "data": {"a": b64(WORD)}}, LIES),
    ({**OTHER, "binaryData": {"a": b64(f"xx{WORD}yy")}}, LIES),
    ({**OTHER, "data": {WORD: "a"}}, LIES),
    ({**OTHER, "metadata": {"name": WORD}}, LIES),
    ({**OTHER, "metadata": {"name": "c", "namespace": WORD}}, LIES),
    ({**OTHER, "metadata": {"name": "c", "labels": {WORD: "a"}}}, LIES),
    ({**OTHER, "kind": WORD}, LIES),
    ({**OTHER, "apiVersion": "example.org/v1", "kind": "Secret", "data": {"a": WORD}}, LIES),
    ({**OTHER, "spec": {"containers": [{"args": ["--x", [{"y": WORD}]]}]}}, LIES),
    (
        secret("data", "", metadata={"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied": b64(WORD)}}),
        LIES,
    ),
    (secret("data", "", type=WORD), LIES),
    ({**secret("data", ""), "stringData": {WORD: "a"}}, LIES),
    ({**secret("data", ""), "stringData": {"a": [WORD]}}, LIES),
    (secret("stringData", WORD.upper()), CHANGED),
    (secret("stringData", WORD.lower()), CHANGED),
    (secret("stringData", WORD[:60]), CHANGED),
    (secret("stringData", WORD.split(",")[1]), CHANGED),
    (secret("stringData", WORD.split(",")[2][8:30]), CHANGED),
    (secret("stringData", quote(WORD)), CHANGED),
    (secret("stringData", b64(b64(WORD)[5:])), CHANGED),
    (secret("stringData", WORD.replace("q1W2", "q1W3")), CHANGED),
    (secret("data", b64(WORD.upper())), CHANGED),
    ({**OTHER, "data": {"a": WORD.split(",")[2]}}, CHANGED),
    ({**OTHER, "data": {"a": b64(f"x{WORD[:50]}")}}, CHANGED),
    ({**OTHER, "data": {"a": "/" + b64(WORD.lower())}}, CHANGED),
    ({**OTHER, "metadata": {"name": "c", "annotations": {"a": quote(WORD.swapcase())}}}, CHANGED),
    (secret("stringData", NUMBER), "is no text"),
    (secret("data", NUMBER), "is no text"),
    (secret("stringData", f"port={NUMBER}"), "is no text"),
    (secret("data", WORD), "is not Base64"),
    (secret("data", f"b25l{WORD}"), "is not Base64"),
]


@pytest.mark.parametrize(("manifest", "message"), LEAKS)
def test_anywhere_else_or_otherwise_it_is_a_leak(manifest: dict[str, Any], message: str) -> None:
    (leak,) = sealed.leaks(manifest, KNOWN)
    assert message in leak.message
    assert leak.hint
    for canary in (CANARY, b64(CANARY), "5432"):
        assert canary not in repr(leak)


def test_a_leak_knows_where_git_has_the_value() -> None:
    (leak,) = sealed.leaks({**OTHER, "data": {"a": b64(f"x{WORD}")}}, KNOWN)
    assert (leak.path, str(leak.origin)) == (("data", "a"), f"stringData.word of {FILE}:6")
    assert leak.origin
    assert leak.origin.kept


def test_nothing_is_found_by_chance() -> None:
    """What is encrypted may be a word that stands everywhere: values are never compared with texts."""
    raw = RAW.encode()
    for short in ("1", "true", "admin", "s"):
        clear = CLEAR.replace(CANARY, f"'{short}'").encode()
        known = sealed.values({FILE: raw}, {FILE: clear})
        manifest = {**OTHER, "data": {"a": "1", "true": "admin", "s": "on the admin's 1st page"}}
        assert sealed.leaks(manifest, known) == []
        assert sealed.unsealed(secret("stringData", WORD), known)["stringData"] == {"a": short}


@pytest.mark.parametrize("value", [5432, 1.5, True, None, ["a"], {"a": "b"}])
def test_a_secret_holds_texts(value: Any) -> None:
    assert list(sealed.no_text(secret("stringData", value))) == [("stringData", "a")]
    assert list(sealed.no_text(secret("data", value))) == ([("data", "a")] if value is not None else [])
    assert list(sealed.no_text(secret("data", value), kept=True)) == [("data", "a")]
    assert list(sealed.no_text({**OTHER, "data": {"a": value}})) == []


def test_without_a_key_all_stays_encrypted_and_is_judged_all_the_same() -> None:
    known = sealed.values({FILE: RAW.encode()}, {FILE: RAW.encode()})
    assert sealed.unsealed(secret("data", CODED), known) == secret("data", CODED)
    for manifest, message in LEAKS:
        if message != "is not Base64":
            (leak,) = sealed.leaks(manifest, known)
            assert message in leak.message


def test_an_encrypted_text_is_opened_for_its_own_file_only() -> None:
    other = "manifests/other/s.yaml"
    files = {FILE: RAW.encode(), other: RAW.replace("sops:", "data_of_sops:").encode()}
    kept = sealed.Encrypted(files, {**files, FILE: CLEAR.encode()})
    assert kept.of(FILE).clear[WORD] == CANARY
    assert WORD not in kept.of(other).clear
    assert kept.closed({FILE: CLEAR.encode()}) == files


def test_of_several_documents_each_has_its_own() -> None:
    raw, clear = f"---\n{RAW}---\n{RAW.replace(WORD, CODED)}", f"---\n{CLEAR}---\n{CLEAR}"
    known = sealed.values({FILE: raw.encode()}, {FILE: clear.encode()})
    assert (known.clear[WORD], known.origins[WORD].line) == (CANARY, 7)


def test_nothing_of_it_shows_what_it_holds() -> None:
    kept = sealed.Encrypted({FILE: RAW.encode()}, {FILE: CLEAR.encode()})
    assert CANARY not in repr((kept, KNOWN))
