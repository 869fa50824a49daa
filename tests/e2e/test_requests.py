"""Whom the YAML of a pull request can have asked: nobody but those that the settings name. Servers on loopback play a
metadata service, a vault and a chart repository, and remember who came."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import io
import json
import os
import re
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.toolchain import Toolbox

from .world import Said, World

pytestmark = pytest.mark.live

TOKEN = "canary-token-61f0"
CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    "web/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-the-chart}\n",
}
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: requests}\nstringData: {word: canary}\n"


class Server:
    """Answers with `pages` by path, with 404 else, and remembers paths and tokens."""

    def __init__(self, address: str) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                line = self.rfile.readline(65537).decode("latin-1").split()
                if len(line) != 3:
                    self.close_connection = True
                    return
                self.command, self.path, self.request_version = line
                self.requestline = " ".join(line)
                self.headers = http.client.parse_headers(self.rfile)
                outer.asked.append((self.path, self.headers.get("X-Vault-Token")))
                page = outer.pages.get(self.path)
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Length", str(len(page or b"")))
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, *_: object) -> None: ...

        self.httpd = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.host = f"{address}:{self.httpd.server_address[1]}"
        self.url = f"http://{self.host}"


@contextmanager
def serving(address: str) -> Iterator[Server]:
    made = Server(address)
    thread = threading.Thread(target=made.httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.httpd.shutdown()
        made.httpd.server_close()
        thread.join()


@pytest.fixture
def canary() -> Iterator[Server]:
    with serving("127.0.0.9") as made:
        yield made


@pytest.fixture
def repository() -> Iterator[Server]:
    with serving("127.0.0.1") as made:
        made.pages["/web-0.1.0.tgz"] = archive()
        made.pages["/index.yaml"] = index("web-0.1.0.tgz")
        yield made


@cache
def archive() -> bytes:
    """Another one for each session, which is in no cache."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in CHART.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def index(url: str) -> bytes:
    return yaml.safe_dump({"entries": {"web": [{"version": "0.1.0", "urls": [url]}]}}).encode()


def chart(repository: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"name": "chart", "helm": {"chart": {
        "repository": repository, "name": "web", "version": "0.1.0", "digest": digest,
    }}}  # fmt: skip


class Proposed:
    """A pull request: a branch beside main, checked out for the time, and settings of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.config = folder / "settings.yaml"
        self.settings: dict[str, Any] = yaml.safe_load(world.config.read_text())
        tools = Path(self.settings["cache"]).resolve() / "tools"
        self.settings["cache"] = str(folder / "cache")
        (folder / "cache").mkdir()
        (folder / "cache/tools").symlink_to(tools)
        self.environment = {"VAULT_TOKEN": TOKEN}
        self._git("checkout", "--quiet", "-b", "proposed")

    def _git(self, *argv: str) -> str:
        return subprocess.run(
            ["git", "-C", self.world.repo, *argv], check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, *workloads: Mapping[str, Any], files: Mapping[str, bytes] = {}) -> None:
        """The cluster with these workloads beside its own, and these files."""
        cluster = yaml.safe_load(self._git("show", f"main:desired/{self.world.name}/cluster.yaml"))
        cluster["spec"]["workloads"] = [*cluster["spec"].get("workloads", []), *workloads]
        self.world.cluster_file.write_text(yaml.safe_dump(cluster))
        for name, text in files.items():
            (self.world.repo / name).parent.mkdir(parents=True, exist_ok=True)
            (self.world.repo / name).write_bytes(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--no-gpg-sign", "-m", "a pull request")

    def sign(self, key: Path) -> None:
        options = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
        self._git(*options, "commit", "--quiet", "--amend", "--no-edit", "-S")

    def run(self, *verb: str, **settings: Any) -> Said:
        """Run a verb, on the branch, with these settings."""
        self.config.write_text(yaml.safe_dump({**self.settings, **settings}))
        argv = [str(self.config) if part == str(self.world.config) else part for part in self.world.command]
        done = subprocess.run(
            [*argv, *verb], capture_output=True, text=True, timeout=300, check=False,
            env={**_plain_environment(), **self.environment},
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def looks(self, **settings: Any) -> Iterator[Said]:
        """What everybody's pull request gets."""
        for verb in (("validate",), ("plan", self.world.name), ("drift", self.world.name)):
            yield self.run(*verb, **settings)

    def close(self) -> None:
        self._git("checkout", "--quiet", "--force", "main")
        self._git("branch", "--quiet", "-D", "proposed")


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}


@pytest.fixture
def proposed(world: World, tmp_path: Path) -> Iterator[Proposed]:
    made = Proposed(world, tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_charts_and_kustomizations_have_nobody_asked(
    proposed: Proposed, repository: Server, canary: Server, toolbox: Toolbox
) -> None:
    """A chart of a repository that is not named, one whose repository is and whose index leads elsewhere, and a
    kustomization with a key that only kustomize takes for a list of resources."""
    toolbox.ensure("helm", "kubectl")
    for name in ("/x.yaml", "/web-0.1.0.tgz"):
        canary.pages[name] = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stolen}\n"
    kustomization = f"Resources: ['{canary.url}/x.yaml']\n".encode()
    built = {"name": "built", "path": "manifests/built"}
    proposed.commit(built, files={"manifests/built/kustomization.yaml": kustomization})
    for said in proposed.looks():
        assert said.code == 2, said.all
        assert "manifests/built/kustomization.yaml:1:1" in said.all
    proposed.commit(chart(repository.url, archive()))
    said = proposed.run("plan", "demo")
    assert (said.code, repository.asked) == (2, []), said.all
    assert re.search(r"desired/demo/cluster\.yaml:\d+:\d+.* has no public address", said.all)
    assert f"fetch: {{hosts: ['{repository.host}']}}" in said.all
    repository.pages["/index.yaml"] = index(f"{canary.url}/web-0.1.0.tgz")
    proposed.commit(chart(repository.url, b"another"))
    said = proposed.run("plan", "demo", fetch={"hosts": [repository.host]})
    assert said.code == 2, said.all
    assert f"{canary.host} is not among the hosts that may be asked" in said.all
    assert canary.asked == []
    repository.pages["/index.yaml"] = index("web-0.1.0.tgz")
    proposed.commit(chart(repository.url, archive()))
    said = proposed.run("plan", "demo", fetch={"hosts": [repository.host]})
    assert (said.code, "from-the-chart" in said.out) == (3, True), said.all
    assert repository.asked[-1] == ("/web-0.1.0.tgz", None), "what is named is used"


def test_a_vault_that_a_file_names_is_asked_only_where_the_settings_name_it(
    proposed: Proposed, canary: Server, toolbox: Toolbox, tmp_path: Path
) -> None:
    """Our age key does not open the file, so that SOPS would go on with the vault, and with our token."""
    tools = toolbox.ensure("sops", "age-keygen")
    ours, theirs = (
        new_key(tools["age-keygen"].path, tmp_path / "ours"),
        new_key(tools["age-keygen"].path, tmp_path / "a"),
    )
    proposed.environment["SOPS_AGE_KEY_FILE"] = str(tmp_path / "ours")
    folder = {"name": "sealed", "path": "manifests/sealed"}
    entry = {"vault_address": canary.url, "engine_path": "transit", "key_name": "k", "enc": "vault:v1:YWJj",
             "created_at": "2026-01-01T00:00:00Z"}  # fmt: skip
    text = encrypted(tools["sops"].path, ours, tmp_path / "secret.yaml", entry)
    proposed.commit(folder, files={"manifests/sealed/secret.yaml": text})
    said = proposed.run("plan", "demo")
    assert (said.code, "requests" in said.out) == (3, True), said.all
    text = encrypted(tools["sops"].path, theirs, tmp_path / "secret.yaml", entry)
    proposed.commit(folder, files={"manifests/sealed/secret.yaml": text})
    for said in proposed.looks():
        assert said.code == (0 if "valid:" in said.out else 1), said.all
        assert TOKEN not in said.all
    assert canary.asked == []
    said = proposed.run("plan", "demo", sops={"hcVault": [canary.url]})
    assert said.code == 1, said.all
    assert set(canary.asked) == {("/v1/transit/decrypt/k", TOKEN)}, "named, it is asked"


def new_key(program: Path, at: Path) -> str:
    """Make an age key; returns whom to encrypt for."""
    subprocess.run([program, "-o", at], check=True, capture_output=True)
    found = re.search(r"age1\w+", at.read_text())
    assert found
    return found[0]


def encrypted(sops: Path, recipient: str, file: Path, vault: Mapping[str, str]) -> bytes:
    """A Secret for an age key, with a key of a vault beside it, as anybody may write it."""
    file.write_text(SECRET)
    subprocess.run([sops, "--encrypt", "--age", recipient, "--encrypted-regex", "^stringData$", "-i", file], check=True)
    return file.read_bytes().replace(b"sops:\n", f"sops:\n    hc_vault: [{json.dumps(vault)}]\n".encode(), 1)


def test_nothing_is_fetched_or_opened_for_a_commit_that_nobody_signed(
    proposed: Proposed, repository: Server, toolbox: Toolbox, tmp_path: Path
) -> None:
    tools = toolbox.ensure("sops", "age-keygen", "helm")
    key = tmp_path / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "allowed").write_text(f"* {key.with_suffix('.pub').read_text()}")
    recipient = new_key(tools["age-keygen"].path, tmp_path / "age")
    opened = tmp_path / "opened"
    sops = tmp_path / "sops"
    sops.write_text(
        f'#!/bin/sh\ncase "$*" in *--decrypt*) echo opened >> {opened};; esac\nexec {tools["sops"].path} "$@"\n'
    )
    sops.chmod(0o700)
    given: dict[str, Any] = {
        "git": {"signers": {"ssh": str(tmp_path / "allowed")}},
        "fetch": {"hosts": [repository.host]},
        "sops": {"keyFile": str(tmp_path / "age")},
        "tools": {**proposed.settings.get("tools", {}), "sops": str(sops)},
    }
    secret = tmp_path / "secret.yaml"
    secret.write_text(SECRET)
    subprocess.run(
        [tools["sops"].path, "--encrypt", "--age", recipient, "--encrypted-regex", "^stringData$", "-i", secret],
        check=True,
    )
    files = {"manifests/sealed/secret.yaml": secret.read_bytes()}
    proposed.commit({"name": "sealed", "path": "manifests/sealed"}, files=files)
    said = proposed.run("plan", "demo", **given)
    assert (said.code, "requests" in said.out) == (3, True), said.all
    proposed.commit({"name": "sealed", "path": "manifests/sealed"}, chart(repository.url, archive()), files=files)
    for verb, code in ((("plan", "demo"), 1), (("apply", "--yes", "demo"), 4)):
        said = proposed.run(*verb, **given)
        assert said.code == code, said.all
        assert ("is not signed" if code == 4 else "it is fetched for commits that are signed") in said.all
    assert (repository.asked, opened.exists()) == ([], False)
    proposed.sign(key)
    said = proposed.run("plan", "demo", **given)
    assert said.code == 3, said.all
    assert (bool(repository.asked), opened.exists()) == (True, True)
