"""Real SOPS with real age keys: what was encrypted comes back, and the plain text shows up nowhere else."""

from __future__ import annotations

import http.server
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler import process
from reconciler.adapters.kustomize import Kustomize
from reconciler.adapters.sops import Sops
from reconciler.errors import Invalid, Permanent, ReconcilerError
from reconciler.spec import desired_state, sealed, secrets
from reconciler.spec.render import objects
from reconciler.spec.sops import Keys, closed, reduced
from reconciler.spec.yaml import parse
from reconciler.toolchain import Toolbox
from tests.unit.examples import CLUSTER, FILE

pytestmark = pytest.mark.live

CANARY = "canary-7f3a91c0"
CREATED = "2026-01-01T00:00:00Z"
NAME = "manifests/sid/secret.yaml"
PLAIN = f"""\
apiVersion: v1
kind: Secret
metadata:
  name: database
stringData:
  password: {CANARY}
"""


@pytest.fixture(scope="module")
def tools(toolbox: Toolbox) -> dict[str, Path]:
    return {name: found.path for name, found in toolbox.ensure("sops", "age-keygen").items()}


def new_key(tools: dict[str, Path], at: Path) -> str:
    """Make an age key; returns whom to encrypt for."""
    process.run([tools["age-keygen"], "-o", at], timeout=30)
    found = re.search(r"age1\w+", at.read_text())
    assert found
    return found[0]


@pytest.fixture
def key(tools: dict[str, Path], tmp_path: Path) -> Path:
    return tmp_path / "key.txt"


@pytest.fixture
def encrypted(tools: dict[str, Path], key: Path, tmp_path: Path) -> bytes:
    """As a person would: sops --encrypt, with the manifest's own fields readable."""
    recipient, file = new_key(tools, key), tmp_path / "secret.yaml"
    file.write_text(PLAIN)
    argv: list[str | Path] = [
        tools["sops"],
        "--encrypt",
        "--age",
        recipient,
        "--encrypted-regex",
        "^(data|stringData)$",
        "--in-place",
    ]
    process.run([*argv, file], timeout=60)
    return file.read_bytes()


def refused(sops: Sops, text: bytes, kind: type[ReconcilerError]) -> ReconcilerError:
    with pytest.raises(kind) as caught:
        sops.decrypt(text, NAME)
    error = caught.value
    assert NAME in error.message
    assert error.hint
    everything = f"{error!r} {error.hint} {error.evidence} {getattr(error, 'problems', '')} {error.__cause__!r}"
    assert CANARY not in everything
    assert "AGE-SECRET-KEY" not in everything
    return error


SEVERAL = f"""\
# {CANARY}: SOPS encrypts comments too
apiVersion: v1
kind: Secret
metadata:
  name: one
stringData:
  word: {CANARY}
  short: "1"
  empty: ""
---
apiVersion: v1
kind: Secret
metadata:
  name: two
stringData:
  port: 739018465
  on: true
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: three
data:
  word: {CANARY}
  word_unencrypted: public
"""


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_each_value_of_several_documents_is_judged_where_it_stands(
    tools: dict[str, Path], key: Path, tmp_path: Path, suffix: str
) -> None:
    recipient, name = new_key(tools, key), f"manifests/sid/a.{suffix}"
    file, several = tmp_path / f"a.{suffix}", SEVERAL
    if suffix == "json":  # one document, with all objects in a List
        items = [document.value for document in parse(name, SEVERAL.encode())]
        several = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    file.write_text(several)
    argv: list[str | Path] = [tools["sops"], "--encrypt", "--age", recipient, "--in-place"]
    process.run([*argv, "--encrypted-regex", "^(word|short|empty|port|on)$", file], timeout=60)
    cluster = CLUSTER + "  workloads: [{name: w, path: manifests/sid}]\n"
    raw = {FILE: cluster.encode(), name: file.read_bytes()}
    desired_state.refuse_plain_secrets(raw)
    clear = {**raw, name: Sops(tools["sops"], key).decrypt(raw[name], name)}
    for given in (clear, raw):
        with pytest.raises(Invalid) as caught:
            desired_state.load(given, None, raw)
        problems = caught.value.problems
        assert [p.message.partition(":")[0].partition(",")[0] for p in problems] == [
            "is an encrypted value that is no text",
            "is an encrypted value that is no text",
            "an encrypted value would come to lie in ConfigMap three",
        ]
        lines = raw[name].decode().splitlines()
        assert [p.path.rpartition(".")[2] in lines[p.line - 1] for p in problems] == [True] * 3
        assert not any(word in repr(problems) for word in (CANARY, "739018465"))


def test_what_was_encrypted_comes_back(tools: dict[str, Path], encrypted: bytes, key: Path) -> None:
    assert CANARY.encode() not in encrypted
    (document,) = parse(NAME, Sops(tools["sops"], key).decrypt(encrypted, NAME))
    assert document.value["stringData"] == {"password": CANARY}
    assert "sops" not in document.value


def test_what_is_encrypted_may_stand_in_git_and_what_is_not_may_not(encrypted: bytes) -> None:
    assert secrets.check(parse(NAME, encrypted)[0]) == []
    (problem,) = secrets.check(parse(NAME, PLAIN.encode())[0])
    assert (problem.path, problem.line) == ("stringData.password", 6)
    assert CANARY not in f"{problem!r}"


def test_a_secret_as_json_comes_back_as_json(tools: dict[str, Path], key: Path, tmp_path: Path) -> None:
    recipient, file, name = new_key(tools, key), tmp_path / "secret.json", "manifests/sid/secret.json"
    plain = {"kind": "Secret", "metadata": {"name": "a", "n": [1, 1.5, None]}, "stringData": {"password": CANARY}}
    file.write_text(json.dumps(plain))
    process.run([tools["sops"], "--encrypt", "--age", recipient, "--in-place", file], timeout=60)
    assert sealed.is_kept(name, file.read_bytes())
    assert json.loads(Sops(tools["sops"], key).decrypt(file.read_bytes(), name)) == plain


def test_another_key_does_not_open_it(tools: dict[str, Path], encrypted: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    new_key(tools, other)
    error = refused(Sops(tools["sops"], other), encrypted, Permanent)
    assert "SOPS_AGE_KEY_FILE" in (error.hint or "")
    assert error.evidence
    assert error.evidence.exit_code == 128


def test_no_key_at_all(tools: dict[str, Path], encrypted: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    for name in [name for name in os.environ if name.startswith("SOPS_")]:
        monkeypatch.delenv(name)
    assert "none of the keys here" in refused(Sops(tools["sops"]), encrypted, Permanent).message


def test_the_key_file_may_be_named_by_the_environment(
    tools: dict[str, Path], encrypted: bytes, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(key))
    assert CANARY.encode() in Sops(tools["sops"]).decrypt(encrypted, NAME)


def test_beside_other_repositories_only_the_settings_key_opens_it(
    tools: dict[str, Path], encrypted: bytes, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / "home/.config/sops/age/keys.txt"
    usual.parent.mkdir(parents=True)
    usual.write_bytes(key.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(key))
    monkeypatch.setenv("SOPS_AGE_KEY", key.read_text())
    assert "none of the keys here" in refused(Sops(tools["sops"], alone=False), encrypted, Permanent).message
    assert CANARY.encode() in Sops(tools["sops"], key, alone=False).decrypt(encrypted, NAME)
    assert CANARY.encode() in Sops(tools["sops"]).decrypt(encrypted, NAME)


def test_a_key_file_that_is_not_there(tools: dict[str, Path], encrypted: bytes, tmp_path: Path) -> None:
    assert "can't be read" in refused(Sops(tools["sops"], tmp_path / "nowhere"), encrypted, Permanent).message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"name: database", b"name: databasf"),
        (rb"(password: ENC\[AES256_GCM,data:)..", rb"\1AA"),
        (rb"\n    mac: .*", b""),
        (rb"\Z", f"extra: {CANARY}\n".encode()),
    ],
)
def test_what_was_changed_behind_its_back(
    tools: dict[str, Path], encrypted: bytes, key: Path, old: bytes, new: bytes
) -> None:
    changed = re.sub(old, new, encrypted, count=1)
    assert changed != encrypted
    error = refused(Sops(tools["sops"], key), changed, Invalid)
    assert "was changed after SOPS encrypted it" in error.message


@pytest.mark.parametrize("text", [PLAIN, f"a: [{CANARY}\n", f"sops: {CANARY}\n", "", "\x00"])
def test_what_sops_never_wrote(tools: dict[str, Path], key: Path, encrypted: bytes, text: str) -> None:
    error = refused(Sops(tools["sops"], key), text.encode(), Invalid)
    assert isinstance(error, Invalid)
    assert [(p.file, p.line, p.column) for p in error.problems] == [(NAME, 1, 1)]


def test_no_process_shows_it(tools: dict[str, Path], encrypted: bytes, key: Path) -> None:
    """While sops works, neither an argument nor an environment variable of any process holds the text or the key."""
    secret = re.search(r"AGE-SECRET-KEY-\w+", key.read_text())
    assert secret
    wanted, seen, over = (CANARY.encode(), secret[0].encode()), set[str](), threading.Event()
    programs = set[bytes]()

    def watch() -> None:
        while not over.is_set():
            for process_folder in Path("/proc").glob("[0-9]*"):
                for what in ("cmdline", "environ"):
                    try:
                        text = (process_folder / what).read_bytes()
                    except OSError:
                        continue
                    programs.update({b"sops"} if text.startswith(str(tools["sops"]).encode()) else ())
                    seen.update(f"{what} of {process_folder.name}" for word in wanted if word in text)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(20):
            assert CANARY.encode() in Sops(tools["sops"], key).decrypt(encrypted, NAME)
    finally:
        over.set()
        watcher.join()
    assert programs == {b"sops"}, "the watcher never met sops at work"
    assert seen == set()


class Vault:
    """Plays Vault's transit engine on loopback: remembers requests, and opens nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                outer.asked.append((self.path, self.headers.get("X-Vault-Token")))
                self.send_response(403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault()
    thread = threading.Thread(target=made.httpd.serve_forever, daemon=True)
    thread.start()
    yield made
    made.httpd.shutdown()
    made.httpd.server_close()
    thread.join()


def with_vault(text: bytes, vault: Vault) -> bytes:
    """The file with a key in a vault beside what it has, as anybody may write it."""
    entry = {
        "vault_address": vault.url,
        "engine_path": "transit",
        "key_name": "k",
        "enc": "vault:v1:YWJj",
        "created_at": CREATED,
    }
    return text.replace(b"sops:\n", f"sops:\n    hc_vault: [{json.dumps(entry)}]\n".encode(), 1)


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("VAULT_TOKEN", CANARY)
    return CANARY


def test_a_vault_that_a_file_names_is_not_asked(
    tools: dict[str, Path], encrypted: bytes, key: Path, tmp_path: Path, vault: Vault, token: str
) -> None:
    """The age key opens the file; with another one, it is not opened; the vault hears of neither."""
    text = reduced(NAME, with_vault(encrypted, vault), Keys())
    assert CANARY.encode() in Sops(tools["sops"], key).decrypt(text, NAME)
    other = tmp_path / "other.txt"
    new_key(tools, other)
    with pytest.raises(Permanent, match="none of the keys here"):
        Sops(tools["sops"], other).decrypt(text, NAME)
    assert vault.asked == []


def test_the_program_has_neither_network_nor_token_whatever_it_is_given(
    tools: dict[str, Path], encrypted: bytes, tmp_path: Path, vault: Vault, token: str
) -> None:
    """Metadata that nobody cut down, and no key of ours: SOPS tries the vault, and the kernel does not let it."""
    other = tmp_path / "other.txt"
    new_key(tools, other)
    with pytest.raises(Permanent, match="none of the keys here"):
        Sops(tools["sops"], other).decrypt(with_vault(encrypted, vault), NAME)
    assert vault.asked == []


def test_a_vault_that_the_settings_name_is_asked(
    tools: dict[str, Path], encrypted: bytes, tmp_path: Path, vault: Vault, token: str
) -> None:
    other = tmp_path / "other.txt"
    new_key(tools, other)
    keys = Keys({"hc_vault": frozenset({vault.url})})
    text = reduced(NAME, with_vault(encrypted, vault), keys)
    with pytest.raises(Permanent, match="none of the keys here"):
        Sops(tools["sops"], other, keys.types).decrypt(text, NAME)
    assert vault.asked
    assert set(vault.asked) == {("/v1/transit/decrypt/k", token)}


def test_only_what_a_type_of_keys_needs_is_in_its_environment(
    tools: dict[str, Path], encrypted: bytes, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = ("AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "OS_PASSWORD", "VAULT_TOKEN", "GITHUB_TOKEN")
    for name in (*canaries, "AZURE_CLIENT_SECRET", "HTTPS_PROXY"):
        monkeypatch.setenv(name, CANARY)
    given: list[Mapping[str, str]] = []
    run = process.run

    def watched(*argv: Any, **named: Any) -> process.Completed:
        given.append(named["env"])
        return run(*argv, **named)

    monkeypatch.setattr(process, "run", watched)
    assert CANARY.encode() in Sops(tools["sops"], key).decrypt(encrypted, NAME)
    assert CANARY not in given[0].values()
    Sops(tools["sops"], key, {"kms"}).decrypt(encrypted, NAME)
    assert {name for name, value in given[1].items() if value == CANARY} == {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"}


def test_files_that_sops_wrote_are_cut_down_and_still_whole(tools: dict[str, Path], key: Path, tmp_path: Path) -> None:
    """Its own check holds for what is left: many documents, comments, numbers, JSON, groups of keys."""
    recipient, config = new_key(tools, key), tmp_path / ".sops.yaml"
    group = f"{{age: [{recipient}]}}"
    config.write_text(f"creation_rules: [{{shamir_threshold: 2, key_groups: [{group}, {group}]}}]\n")
    texts = {
        "a.yaml": f"# a comment\na: {CANARY}\nb: [1, 1.50, true, null, '007']\nc: |\n  sops:\n    x\n---\nd: 1\n",
        "a.json": json.dumps({"a": CANARY, "n": [1, 1.0, 12345678901, True, None], "s": "\u2028\u00e9"}),
    }
    for name, text in texts.items():
        for more in (["--age", recipient], ["--config", config]):
            file = tmp_path / name
            file.write_text(text)
            process.run([tools["sops"], *more, "--encrypt", "--in-place", file], timeout=60, cwd=tmp_path)
            opened = Sops(tools["sops"], key).decrypt(reduced(name, file.read_bytes(), Keys()), name)
            assert opened == Sops(tools["sops"], key).decrypt(file.read_bytes(), name)
            assert [d.value for d in parse(name, opened)] == [d.value for d in parse(name, text.encode())]
            assert CANARY.encode() in opened
            plain = [d.value for d in parse(name, closed(name, file.read_bytes()))]
            assert [sorted(v) for v in plain] == [sorted(d.value) for d in parse(name, text.encode())]


def test_kustomize_passes_on_what_is_encrypted(
    tools: dict[str, Path], toolbox: Toolbox, key: Path, encrypted: bytes, tmp_path: Path
) -> None:
    """An overlay of an encrypted Secret, with another name and more labels: opened in the objects and nowhere else."""
    base, over = "manifests/base", "manifests/over"
    cluster = CLUSTER + f"  workloads: [{{name: w, path: {over}}}]\n"
    raw = {
        FILE: cluster.encode(),
        f"{base}/kustomization.yaml": b"resources: [secret.yaml]\n",
        f"{base}/secret.yaml": encrypted,
        f"{over}/kustomization.yaml": b"resources: [../base]\nnamePrefix: a-\nlabels: [{pairs: {team: blue}}]\n",
    }
    desired_state.refuse_plain_secrets(raw)
    clear = {**raw, f"{base}/secret.yaml": Sops(tools["sops"], key).decrypt(encrypted, NAME)}
    kubectl = toolbox.ensure("kubectl")["kubectl"].path
    cache = tmp_path / "kustomize"
    (opened,) = desired_state.load(clear, Kustomize(lambda: kubectl, "1", cache), raw)
    (made,) = objects.workloads(opened, clear)
    assert made["stringData"] == {"password": CANARY}
    assert made["metadata"] == {"name": "a-database", "labels": {"team": "blue"}, "namespace": "default"}
    assert made.keys() == {"apiVersion", "kind", "metadata", "stringData"}
    assert [CANARY.encode() in file.read_bytes() for file in cache.iterdir()] == [False]
    (closed,) = desired_state.load(raw, Kustomize(lambda: None, "1", cache))
    assert CANARY not in str(objects.workloads(closed, raw))
