"""What an application has from encrypted files: found at its key, never told, and never taken from plain text."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state
from reconciler.spec.load import DesiredCluster
from tests.unit.examples import CLUSTER, FILE, application
from tests.unit.spec.test_wiring import TWO

KEPT = "manifests/sid-web/credentials.yaml"
CIPHER = "ENC[AES256_GCM,data:Zm9v,iv:Zm9v,tag:Zm9v,type:str]"
RAW = f"password: {CIPHER}\nplain: here\nsops:\n  mac: {CIPHER}\n"
CLEAR = "password: canary-1f2e\nplain: here\n"
SECRET = (
    "kind: Secret\napiVersion: v1\nmetadata: {{name: s}}\nstringData: {{password: '{0}'}}\ndata: {{other: '{1}'}}\n{2}"
)


def load(source: str, raw: str = RAW, clear: str = CLEAR) -> DesiredCluster:
    files: Mapping[str, str] = {
        FILE: CLUSTER,
        TWO: application("two", "secrets:", f"  PASSWORD: {source}"),
        KEPT: clear,
    }
    clear_files = {path: text.encode() for path, text in files.items()}
    raw_files = {**clear_files, KEPT: raw.encode()}
    (cluster,) = desired_state.load(clear_files, None, raw_files)
    return cluster


def refused(source: str, raw: str = RAW, clear: str = CLEAR) -> Problem:
    with pytest.raises(Invalid) as caught:
        load(source, raw, clear)
    (problem,) = caught.value.problems
    assert "canary" not in str(problem)
    return problem


def test_a_value_is_found_at_its_key_and_named_by_what_git_shows() -> None:
    source = f"{{file: {KEPT}, key: password}}"
    first, again = load(source).secrets[KEPT, "password"], load(source).secrets[KEPT, "password"]
    assert first.value == "canary-1f2e"
    assert first == again
    other = load(source, RAW.replace("data:Zm9v", "data:Zm9w", 1)).secrets[KEPT, "password"]
    assert other.version != first.version
    assert "canary" not in f"{first!r} {load(source)!r}"


def test_the_data_of_a_secret_may_be_used_too() -> None:
    raw = SECRET.format(CIPHER, CIPHER, f"sops: {{mac: '{CIPHER}'}}\n")
    clear = SECRET.format("a", "Yg==", "")
    found = load(f"{{file: {KEPT}, key: password}}", raw, clear).secrets
    assert found[KEPT, "password"].value == "a"
    assert load(f"{{file: {KEPT}, key: other}}", raw, clear).secrets[KEPT, "other"].value == "b"


def test_what_is_not_there_or_not_encrypted_is_named_at_its_line() -> None:
    nowhere = refused("{file: manifests/sid-web/credential.yaml, key: password}")
    assert (nowhere.file, nowhere.line) == (TWO, 9)
    assert nowhere.hint == f"did you mean '{KEPT}'?"
    assert "'password'" in str(refused(f"{{file: {KEPT}, key: pasword}}").hint)
    assert "is not encrypted" in refused(f"{{file: {KEPT}, key: plain}}").message
    assert "is not encrypted" in refused(f"{{file: {KEPT}, key: password}}", CLEAR).message


FLAT = ("password: {}\n", f"sops: {{mac: '{CIPHER}'}}\n")
OF_A_SECRET = ("kind: Secret\napiVersion: v1\nmetadata: {{name: s}}\nstringData: {{password: {}}}\n", FLAT[1])


@pytest.mark.parametrize(("kind", "clear"), [("int", "5432"), ("bool", "true"), ("float", "1.50"), ("str", "5432")])
@pytest.mark.parametrize(("text", "notes"), [FLAT, OF_A_SECRET], ids=["flat", "secret"])
def test_what_is_no_text_is_refused_with_a_key_and_without(text: str, notes: str, kind: str, clear: str) -> None:
    """The application would get another text than stands there: 1.5, True."""
    token = CIPHER.replace("type:str", f"type:{kind}")
    raw = text.format(f"'{token}'") + notes
    for given in (text.format(clear), raw) if kind != "str" else (text.format(clear),):
        problem = refused(f"{{file: {KEPT}, key: password}}", raw, given)
        assert "that is no text" in problem.message
        assert (problem.file, problem.line) == (TWO, 9)


def test_an_application_is_not_encrypted_itself() -> None:
    """Its env goes into a ConfigMap: what is secret there would be read by everybody."""
    text = application("two", f"env: {{A: '{CIPHER}'}}") + f"sops: {{mac: '{CIPHER}'}}\n"
    with pytest.raises(Invalid) as caught:
        desired_state.load({FILE: CLUSTER.encode(), TWO: text.encode()})
    (problem,) = caught.value.problems
    assert "spec.secrets" in (problem.hint or "")
