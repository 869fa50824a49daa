"""What SOPS gets to see of a file's metadata: its keys that are used here, and nothing that was not read."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import Invalid
from reconciler.spec.sops import CLOSED, Keys, closed, reduced
from reconciler.spec.yaml import parse

FILE = "manifests/a/secret.yaml"
SEALED = "ENC[AES256_GCM,data:YWJj,iv:YWJj,tag:YWJj,type:str]"
VAULT = "http://127.0.0.1:8200"
AGE = {"recipient": "age1x", "enc": "-----BEGIN AGE ENCRYPTED FILE-----\nYWJj\n-----END AGE ENCRYPTED FILE-----\n"}
HC = {
    "vault_address": VAULT,
    "engine_path": "sops",
    "key_name": "first",
    "created_at": "2026-01-01T00:00:00Z",
    "enc": "x",
}
PGP = {"fp": "85D77543B3D624B63CEA9E6DBC17301B491B3F21", "created_at": "2026-01-01T00:00:00Z", "enc": "x"}
KMS = {"arn": "arn:aws:kms:us-east-1:1:key/a", "created_at": "2026-01-01T00:00:00Z", "enc": "x"}
MAC = {"mac": SEALED, "lastmodified": "2026-01-01T00:00:00Z", "version": "3.13.3", "encrypted_regex": "^(data)$"}
AGE_ONLY = Keys()


def file(**metadata: Any) -> bytes:
    head = f"apiVersion: v1\nkind: Secret\n# a comment: sops\ndata:\n    password: {SEALED}\n"
    return (head + yaml.safe_dump({"sops": {**MAC, **metadata}}, indent=4, sort_keys=False)).encode()


def metadata(text: bytes, name: str = FILE) -> dict[str, Any]:
    value = parse(name, text)[0].value["sops"]
    assert isinstance(value, dict)
    return value


def refused(text: bytes, keys: Keys = AGE_ONLY, name: str = FILE) -> str:
    with pytest.raises(Invalid) as caught:
        reduced(name, text, keys)
    (problem,) = caught.value.problems
    assert problem.file == name
    assert "YWJj" not in str(problem)
    return str(problem)


def test_a_key_of_a_type_that_is_not_used_is_never_shown_to_sops() -> None:
    text = reduced(FILE, file(hc_vault=[HC], kms=[KMS], pgp=[PGP], age=[AGE], hckms=[{"key_id": "x"}]), AGE_ONLY)
    assert metadata(text) == {**MAC, "age": (AGE,)}
    assert VAULT.encode() not in text
    assert text.startswith(file().partition(b"sops:\n")[0]), "the content is as it was, comments too"


@pytest.mark.parametrize(
    ("kind", "entry", "name", "used"),
    [
        ("hc_vault", HC, VAULT, True),
        ("hc_vault", HC, f"{VAULT}/", True),
        ("hc_vault", HC, "http://127.0.0.1:8201", False),
        ("hc_vault", HC, "http://127.0.0.1:820", False),
        ("hc_vault", {**HC, "vault_address": f"{VAULT}/../x"}, VAULT, False),
        ("hc_vault", {**HC, "vault_address": f"{VAULT}@evil.org"}, VAULT, False),
        ("pgp", PGP, "85d77543 b3d624b6 3cea9e6d bc17301b 491b3f21", True),
        ("pgp", PGP, "85D77543B3D624B63CEA9E6DBC17301B491B3F22", False),
        ("kms", KMS, KMS["arn"], True),
        ("kms", {**KMS, "role": "arn:aws:iam::2:role/x"}, KMS["arn"], False),
        ("kms", {**KMS, "role": "arn:aws:iam::2:role/x"}, f"{KMS['arn']}+arn:aws:iam::2:role/x", True),
        ("kms", {**KMS, "context": {"a": "b"}}, KMS["arn"], True),
        ("gcp_kms", {"resource_id": "projects/a", "enc": "x"}, "projects/a", True),
        ("azure_kv", {"vault_url": "https://a.azure.net", "name": "n", "enc": "x"}, "https://a.azure.net/", True),
        ("azure_kv", {"vault_url": "https://evil.org", "name": "n", "enc": "x"}, "https://a.azure.net/", False),
    ],
)  # fmt: skip
def test_a_key_that_the_settings_name_is_used_and_no_other_of_its_type(
    kind: str, entry: dict[str, Any], name: str, used: bool
) -> None:
    keys = Keys({kind: frozenset({name})})
    assert keys.types == {kind}
    made = metadata(reduced(FILE, file(age=[AGE], **{kind: [entry]}), keys))
    assert made == {**MAC, "age": (AGE,), **({kind: (entry,)} if used else {})}


def test_which_credential_is_used_is_not_for_a_file_to_say() -> None:
    text = reduced(FILE, file(kms=[{**KMS, "aws_profile": "other", "x": "y"}]), Keys({"kms": frozenset({KMS["arn"]})}))
    assert metadata(text)["kms"] == (KMS,)


def test_groups_of_keys_are_cut_down_as_well() -> None:
    groups = [{"age": [AGE], "hc_vault": [HC]}, {"hc_vault": [HC]}, {"age": [AGE], "pgp": []}]
    made = metadata(reduced(FILE, file(key_groups=groups, shamir_threshold=2), AGE_ONLY))
    assert made == {**MAC, "shamir_threshold": 2, "key_groups": ({"age": (AGE,)}, {}, {"age": (AGE,)})}


def test_a_file_that_no_key_of_ours_opens_is_refused_at_its_line() -> None:
    problem = refused(file(hc_vault=[HC], kms=[KMS]))
    assert problem.startswith(f"{FILE}:6:1: sops: is encrypted for hc_vault, kms, and no such key is used here")
    assert "hc_vault" in refused(file(key_groups=[{"hc_vault": [HC]}]))
    assert "nothing" in refused(file(age=[]))


@pytest.mark.parametrize("path", ["../../auth/token/revoke-self", "/sys", "a/../b", "a//b", "a?b", "a b", ".", "a/.."])
@pytest.mark.parametrize("field", ["engine_path", "key_name"])
def test_a_key_of_a_vault_leads_to_no_other_service_of_it(field: str, path: str) -> None:
    problem = refused(file(hc_vault=[{**HC, field: path}]), Keys({"hc_vault": frozenset({VAULT})}))
    assert f"sops.hc_vault.0.{field}: is not what SOPS writes there" in problem


@pytest.mark.parametrize(
    "metadata",
    [
        {"age": "x"}, {"age": {"a": 1}}, {"age": [1]}, {"age": [[AGE]]}, {"age": [{**AGE, "enc": 1}]},
        {"age": [{**AGE, "enc": {"a": 1}}]}, {"age": [AGE] * 101}, {"age": [AGE], "mac": ["x"]},
        {"age": [AGE], "mac": "x" * 5000}, {"age": [{**AGE, "enc": "x" * 70_000}]}, {"key_groups": "x"},
        {"key_groups": [1]}, {"key_groups": [{"age": "x"}]}, {"age": [AGE], "key_groups": [{}] * 101},
        {"age": [AGE], "version": 3.9}, {"age": [AGE], "lastmodified": 5},
    ],
)  # fmt: skip
def test_metadata_that_sops_does_not_write(metadata: dict[str, Any]) -> None:
    assert re.match(rf"{re.escape(FILE)}:\d+:\d+: sops", refused(file(**metadata)))


@pytest.mark.parametrize(
    "text",
    [
        "sops: x\n", "sops:\n", "sops: []\n", "{sops: {age: [{recipient: a}]}, a: b}\n", "a: [\n",
        "a: 1\nsops: {age: [{recipient: a}],\nmac: x}\n", "sops: &a {age: [{recipient: a}]}\nb: *a\n",
        "? sops\n: {age: [{recipient: a}]}\n", "sops:\n  age: [{recipient: a}]\nsops:\n  hc_vault: [{}]\n",
        "<<: {sops: {hc_vault: [{}]}}\nsops: {age: [{recipient: a}]}\n", "\x00", "a: *b\n",
    ],
)  # fmt: skip
def test_a_file_that_sops_does_not_write(text: str) -> None:
    refused(text.encode())


def test_what_looks_like_metadata_in_a_text_is_none() -> None:
    text = b"note: |\n  sops:\n    age: x\n" + file(age=[AGE], hc_vault=[HC]) + b"later: 1\n"
    made = reduced(FILE, text, AGE_ONLY)
    assert parse(FILE, made)[0].value["note"] == "sops:\n  age: x\n"
    assert parse(FILE, made)[0].value["later"] == 1
    assert b"vault" not in made


def test_every_document_has_its_metadata() -> None:
    text = file(age=[AGE], hc_vault=[HC]) + b"---\nother: 1\n---\n" + file(age=[AGE], kms=[KMS])
    documents = parse(FILE, reduced(FILE, text, AGE_ONLY))
    assert [d.value.get("sops") for d in documents] == [{**MAC, "age": (AGE,)}, None, {**MAC, "age": (AGE,)}]


def test_json_has_no_other_word_for_it() -> None:
    name = "manifests/a/secret.json"
    metadata: dict[str, Any] = {**MAC, "age": [AGE], "hc_vault": [HC]}
    value = {"a": SEALED, "n": [1, 1.5, None], "sops": metadata}
    kept: dict[str, Any] = {**MAC, "age": [AGE]}
    assert json.loads(reduced(name, json.dumps(value).encode(), AGE_ONLY)) == {**value, "sops": kept}
    for other in ("SOPS", "Sops", "\u017fops"):
        assert "takes for its own" in refused(json.dumps({**value, other: {"hc_vault": [HC]}}).encode(), name=name)
    assert refused(b'{"sops": {"age": [{}]}, "sops": {"hc_vault": [{}]}}', name=name)
    assert "no JSON" in refused(file(age=[AGE]), name=name)


def test_what_stays_closed_is_one_word_and_no_metadata() -> None:
    text = closed(FILE, file(age=[AGE]) + b"after: 1\n---\nb: 2\n")
    first, second = (document.value for document in parse(FILE, text))
    assert first == {"apiVersion": "v1", "kind": "Secret", "data": {"password": CLOSED}, "after": 1}
    assert second == {"b": 2}
    assert json.loads(closed("a.json", json.dumps({"a": SEALED, "sops": MAC}).encode())) == {"a": CLOSED}


def test_without_metadata_nothing_changes() -> None:
    assert reduced(FILE, b"a: 1\n", AGE_ONLY) == b"a: 1\n"


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
_NAMES = st.sampled_from(
    [*MAC, "age", "pgp", "kms", "hc_vault", "key_groups", "shamir_threshold", "mac_only_encrypted"]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_NAMES, _VALUES | st.lists(st.dictionaries(st.sampled_from([*HC, *AGE]), _VALUES)), max_size=6))
def test_whatever_it_says_no_other_key_comes_out(values: Mapping[str, Any]) -> None:
    for name, text in ((FILE, yaml.safe_dump({"a": 1, "sops": values})), ("a.json", json.dumps({"sops": values}))):
        with contextlib.suppress(Invalid):
            made = metadata(reduced(name, text.encode(), AGE_ONLY), name)
            groups = (made, *made.get("key_groups", ()))
            assert not {"pgp", "kms", "hc_vault"} & {key for group in groups for key in group}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet="sop:s{}[]-&*!|\n\r \u2028\x85a1\"'#?<", max_size=80).map(str.encode))
def test_nothing_breaks_it(text: bytes) -> None:
    for name in (FILE, "a.json"):
        with contextlib.suppress(Invalid):
            parse(name, reduced(name, text, AGE_ONLY))
        with contextlib.suppress(Invalid):
            parse(name, closed(name, text))
