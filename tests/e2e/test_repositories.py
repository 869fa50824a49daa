"""Two repositories with a cluster of one name under one daemon, in two projects of one cloud: nothing of one reaches
the other. A third one can't be used, and keeps nobody waiting."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from openstack.config.loader import OpenStackConfig
from openstack.connection import Connection

from reconciler.sandbox import gitops
from reconciler.sandbox.sandbox import Sandbox
from tests.e2e.daemon import Running, free_port
from tests.e2e.world import PROJECT
from tests.unit.examples import CLUSTER

pytestmark = pytest.mark.live

CLOUD = "moc"  # both call theirs so
ENVIRONMENT_CANARY = "canary-of-the-environment"


@dataclass
class Team:
    """A repository, the project of its cluster, and everything that nobody else may come by (`own`)."""

    name: str
    folder: Path
    observed_branch: str
    own: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.secret = secrets.token_hex(16)
        self.network = f"network-of-{self.name}-{secrets.token_hex(4)}"
        self.own += [self.secret, self.network]

    remote = property(lambda self: self.folder / f"{self.name}.git")
    desk = property(lambda self: self.folder / "desk")
    clone = property(lambda self: self.folder / "clone")
    clouds = property(lambda self: self.folder / "clouds.yaml")
    settings = property(lambda self: self.folder / "settings.yaml")
    state = property(lambda self: self.folder / "state")
    environment = property(lambda self: self.folder / "environment")

    def write(self) -> None:
        gitops.git("init", "--quiet", "--bare", "--initial-branch=main", self.remote)
        gitops.git("clone", "--quiet", self.remote, self.desk)
        for name, text in (
            ("desired/demo/cluster.yaml", CLUSTER.replace("cloud: sandbox", f"cloud: {CLOUD}") + "  mode: report\n"),
            ("terraform/openstack-cluster/main.tf", ""),
        ):
            (self.desk / name).parent.mkdir(parents=True)
            (self.desk / name).write_text(text)
        gitops.git("-C", self.desk, "checkout", "--quiet", "-B", "main")
        gitops.commit(self.desk, f"the cluster of {self.name}")
        gitops.git("clone", "--quiet", self.remote, self.clone)
        hook = self.remote / "hooks" / "pre-receive"  # git's program on the other end has the daemon's environment
        hook.write_text(f"#!/bin/sh\nenv >> {self.environment}\n")
        hook.chmod(0o755)
        for name in ("key", "webhook-secret"):
            (self.folder / name).write_text(self.secret)
            (self.folder / name).chmod(0o600)
        own = {
            "clouds": str(self.clouds),
            "sshKey": str(self.folder / "key"),
            "state": str(self.state),
            "git": {"observedBranch": self.observed_branch},
            "webhook": {"secretFile": str(self.folder / "webhook-secret")},
        }
        self.settings.write_text(yaml.safe_dump(own))

    def entry(self) -> dict[str, str]:
        return {"name": self.name, "path": str(self.clone), "settings": str(self.settings), "ref": "origin/main"}

    def push(self, text: str) -> bytes:
        """A commit, and what a forge sends of it."""
        (self.desk / "README.md").write_text(text)
        file = self.desk / "desired/demo/cluster.yaml"
        file.write_text(f"{file.read_text()}# {text}\n")
        gitops.commit(self.desk, text)
        commit = gitops.git("-C", self.desk, "rev-parse", "HEAD").strip()
        return json.dumps({"ref": "refs/heads/main", "after": commit}).encode()

    def branches(self) -> set[str]:
        return set(gitops.git("-C", self.remote, "for-each-ref", "--format=%(refname:short)", "refs/heads").split())

    def recorded(self) -> dict[str, Any]:
        text = gitops.git("-C", self.remote, "show", f"{self.observed_branch}:demo/observed.yaml")
        return dict(yaml.safe_load(text))

    def everything(self) -> str:
        """All that this repository's state, remote and programs hold."""
        history = gitops.git("-C", self.remote, "log", "--all", "-p", "--format=%B")
        files = [path.read_bytes().decode("utf-8", "replace") for path in self.state.rglob("*") if path.is_file()]
        return "\n".join([history, *files, self.environment.read_text()])


def project(sandbox: Sandbox, team: Team) -> None:
    """A project of its own, an application credential for it, and a network there that is tagged as its cluster's."""

    def connected(auth: dict[str, str], **more: str) -> Any:
        config = OpenStackConfig(config_files=[], secure_files=[], vendor_files=[], load_envvars=False)
        return Connection(config=config.get_one(auth=auth, region_name="RegionOne", **more))

    admin_auth = yaml.safe_load((sandbox.root / "admin-clouds.yaml").read_text())["clouds"]["sandbox-admin"]["auth"]
    identity, password = connected(admin_auth).identity, secrets.token_urlsafe(16)
    there = identity.create_project(name=team.network, domain_id="default")
    user = identity.create_user(name=team.network, domain_id="default", default_project_id=there.id, password=password)
    identity.assign_project_role_to_user(there, user, identity.find_role("member"))
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    auth = {"auth_url": admin_auth["auth_url"], "username": team.network, "password": password}
    own = connected({**auth, "project_name": team.network, **domains})
    credential = own.identity.create_application_credential(user.id, name=team.name)
    network = own.network.create_network(name=team.network)
    own.network.set_tags(network, ["reconciler.cluster=demo"])
    team.own += [credential.id, credential.secret, there.id, network.id]
    secret = {"application_credential_id": credential.id, "application_credential_secret": credential.secret}
    entry = {"auth_type": "v3applicationcredential", "auth": {"auth_url": auth["auth_url"], **secret}}
    team.clouds.write_text(yaml.safe_dump({"clouds": {CLOUD: {**entry, "region_name": "RegionOne"}}}))


@pytest.fixture(scope="module")
def teams(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Team, Team]:
    folder = tmp_path_factory.mktemp("repositories")
    both = Team("physics", folder / "physics", "observed"), Team("chemistry", folder / "chemistry", "seen")
    for team in both:
        team.write()
        project(sandbox, team)
    return both


@pytest.fixture(scope="module")
def config(sandbox: Sandbox, teams: tuple[Team, Team], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("daemon-of-several")
    broken = {"name": "broken", "path": str(folder / "nothing"), "settings": str(folder / "broken.yaml")}
    (folder / "broken.yaml").write_text(f"clouds: {folder}/none\nsshKey: {folder}/none-either\n")
    cache = yaml.safe_load(sandbox.config.read_text())["cache"]
    settings = {
        "cache": cache,
        "state": str(folder / "state"),
        "http": {"port": free_port()},
        "daemon": {"interval": 600.0, "poll": 600.0, "workers": 2},
        "repositories": [broken, *(team.entry() for team in teams)],
    }
    file = folder / "daemon.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture(scope="module")
def daemon(teams: tuple[Team, Team], config: Path) -> Iterator[Running]:
    physics, _ = teams
    planted = {
        "OS_CLIENT_CONFIG_FILE": str(physics.clouds),
        "OS_APPLICATION_CREDENTIAL_SECRET": physics.own[3],
        "SOPS_AGE_KEY": ENVIRONMENT_CANARY,
        "AWS_SECRET_ACCESS_KEY": ENVIRONMENT_CANARY,
    }
    with Running(PROJECT, config, env=planted) as running:
        for team in teams:
            running.until("cycle", repository=team.name, cluster="demo")
        yield running
    assert running.code == 0
    assert running.events[-1]["event"] == "stopped"
    assert [line for line in running.other if "Traceback" in line] == []


def deliver(daemon: Running, body: bytes, secret: str) -> int:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
    request = urllib.request.Request(f"http://127.0.0.1:{daemon.port}/webhook", body, headers)
    try:
        return int(urllib.request.urlopen(request, timeout=10).status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_each_sees_its_own_project_and_records_in_its_own_remote(daemon: Running, teams: tuple[Team, Team]) -> None:
    for team, other in (teams, teams[::-1]):
        assert team.branches() == {"main", team.observed_branch}
        recorded = json.dumps(team.recorded())
        assert team.network in recorded
        assert other.network not in recorded


def test_a_webhook_starts_the_repository_whose_secret_signed_it(daemon: Running, teams: tuple[Team, Team]) -> None:
    for team, other in (teams, teams[::-1]):
        seen = len(daemon.events)
        body = team.push(f"a push to {team.name}")
        assert deliver(daemon, body, "another secret") == 401
        assert deliver(daemon, body, team.secret) == 202
        daemon.until("cycle", after=seen, repository=team.name, cluster="demo", trigger="webhook")
        assert [e for e in daemon.events[seen:] if e.get("repository") == other.name] == []


def test_one_that_cant_be_used_is_said_and_keeps_nobody_waiting(daemon: Running) -> None:
    assert "is not a git repository" in daemon.until("repository", repository="broken", outcome="unusable")["error"]
    assert daemon.get("/readyz") == "ok\n"
    document = json.loads(daemon.get("/status"))
    assert [(r["repository"], r["state"]) for r in document["repositories"]] == [
        ("broken", "unusable"), ("physics", "running"), ("chemistry", "running"),
    ]  # fmt: skip
    assert [(e["repository"], e["cluster"]) for e in document["clusters"]] == [
        ("physics", "demo"), ("chemistry", "demo"),
    ]  # fmt: skip
    metrics = daemon.get("/metrics")
    assert 'reconciler_repository_usable{repository="broken"} 0.0' in metrics
    assert 'reconciler_failures{cluster="demo",repository="chemistry"} 0.0' in metrics


def test_nothing_of_one_is_in_the_others(daemon: Running, teams: tuple[Team, Team], config: Path) -> None:
    claims = json.loads((config.parent / "state/claims.json").read_text())
    assert sorted(claims.values()) == ["chemistry/demo", "physics/demo"]
    for team, other in (teams, teams[::-1]):
        lines = json.dumps([e for e in daemon.events if e.get("repository") == team.name])
        held = team.everything() + lines
        assert [each for each in other.own if each in held] == []
        assert ENVIRONMENT_CANARY not in held
    assert [e for e in daemon.events if e.get("cluster") and not e.get("repository")] == []
