"""What others than the people of main may push stops nobody, and what these signed once is not signed for ever."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox import gitops
from tests.e2e.world import World

pytestmark = pytest.mark.live
LEASE = "refs/reconciler/leases/demo"
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
DAMAGED = {
    "applied.yaml": LAUGHS,
    "observed.yaml": "[" * 100_000,
    "drift.yaml": "- component: [infrastructure]\n  kind: server\n  name: a\n",
    "outputs.yaml": "a: &a {a: *a}\n",
}


@pytest.fixture
def eve(world: World, tmp_path: Path) -> Path:
    """A clone of somebody who may push what is not main."""
    gitops.git("clone", "--quiet", world.remote, tmp_path / "eve")
    return tmp_path / "eve"


def git(folder: Path, *argv: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    named = ("-c", "user.name=Eve", "-c", "user.email=eve@example.org")
    command = ["git", "-C", str(folder), *named, *argv]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def tree(folder: Path, files: Mapping[str, str]) -> str:
    blobs = {name: git(folder, "hash-object", "-w", "--stdin", stdin=text) for name, text in files.items()}
    return git(folder, "mktree", stdin="".join(f"100644 blob {id_}\t{name}\n" for name, id_ in blobs.items()))


def damage_records(eve: Path) -> None:
    """Every file of the cluster's folder; the rest of the branch stays."""
    git(eve, "fetch", "--quiet")
    folder = tree(eve, DAMAGED)
    root = git(eve, "ls-tree", "origin/observed").splitlines()
    others = [line for line in root if not line.endswith("\tdemo")]
    made = git(eve, "mktree", stdin="".join(f"{line}\n" for line in [*others, f"040000 tree {folder}\tdemo"]))
    git(
        eve,
        "push",
        "--quiet",
        "origin",
        f"{git(eve, 'commit-tree', made, '-p', 'origin/observed', '-m', 'x')}:observed",
    )


def plant_lease(eve: Path, files: Mapping[str, str]) -> str:
    made = git(eve, "commit-tree", tree(eve, files), "-m", "x")
    git(eve, "push", "--quiet", "--force", "origin", f"{made}:{LEASE}")
    return made


def an_hour_ago(world: World, value: str) -> None:
    """As if the value had been seen an hour and a minute ago."""
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=61)
    (lock,) = (file for file in world.state.rglob("lock") if file.parent.name == "demo")
    lock.with_name("lease-seen").write_text(f"{value} {then.isoformat()}\n")


def test_one_push_to_the_observed_branch_or_a_lease_stops_nobody(world: World, eve: Path) -> None:
    def break_something() -> None:
        world.kubectl("-n", "sid", "delete", "configmap", "backend")

    damage_records(eve)
    planted = plant_lease(eve, {"README": "no lease"})
    gitops.git("-C", world.repo, "fetch", "--quiet")
    looked = world.reconciler("drift", "demo")
    assert looked.code == 0, looked.all
    assert looked.err.count("warning: demo/applied.yaml of 'observed' at ") == 1, looked.err
    assert "an anchor" in looked.err
    assert len(looked.err) < 3000

    break_something()
    held = world.reconciler("apply", "demo")
    assert held.code == 1, held.all
    assert "somebody whose lease can't be read (it has no file lease.json)" in held.err
    assert [file.read_text().split()[0] for file in world.state.rglob("lease-seen")] == [planted]
    an_hour_ago(world, planted)
    applied = world.reconciler("apply", "demo")
    assert applied.code == 0, applied.all
    assert world.observed()["status"] == "in sync"
    record = {name: world.git("show", f"observed:demo/{name}") for name in ("applied.yaml", "drift.yaml")}
    assert set(yaml.safe_load(record["applied.yaml"])) == {"infrastructure", "kubernetes", "workloads", "applications"}
    assert yaml.safe_load(record["drift.yaml"]) == []

    who = {"number": 1, "host": "eve", "pid": 1, "id": "1"}
    for_ever = {**who, "since": "2026-01-01T00:00:00Z", "expires": "9999-12-31T23:59:59Z"}
    planted = plant_lease(eve, {"lease.json": json.dumps(for_ever)})
    break_something()
    an_hour_ago(world, planted)
    again = world.reconciler("run", "--once", "demo")
    assert again.code == 0, again.all


@pytest.fixture
def signing(world: World, tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Only commits by `ada` are applied, and the clone signs as her; `then` is a key that was retired."""
    keys = {name: tmp_path / name for name in ("ada", "then")}
    for name, key in keys.items():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
    ada, then = (key.with_suffix(".pub").read_text() for key in keys.values())
    allowed = tmp_path / "allowed"
    allowed.write_text(f'ada@example.org {ada}then@example.org valid-before="20210101" {then}')
    plain, start = world.config.read_text(), world.head()
    settings(world, signers={"ssh": str(allowed)})
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", str(keys["ada"])), ("commit.gpgSign", "true")):
        git(world.repo, "config", name, value)
    try:
        yield keys
    finally:
        world.config.write_text(plain)
        for name in ("gpg.format", "user.signingKey", "commit.gpgSign"):
            git(world.repo, "config", "--unset", name)
        for note in world.state.rglob("reached"):
            note.unlink()
        if git(world.repo, "diff", "--name-only", start):
            world.back_to(start)


def settings(world: World, **git_settings: Any) -> None:
    said = yaml.safe_load(world.config.read_text())
    said["git"] = {**said.get("git", {}), **git_settings}
    world.config.write_text(yaml.safe_dump(said))


def is_open(world: World) -> bool:
    rules = world.mischief().connection.network.security_group_rules()
    return any(r.remote_ip_prefix == "203.0.113.7/32" for r in rules)


def test_a_force_push_to_an_older_signed_commit_opens_no_port(world: World, signing: dict[str, Path]) -> None:
    closed = world.cluster_file.read_text()
    world.edit("ssh: [192.0.2.0/24]", "ssh: [192.0.2.0/24, 203.0.113.7/32]")
    world.commit("open a port")
    opened = world.head()
    world.cluster_file.write_text(closed)
    world.commit("close it")
    last = world.head()
    said = world.reconciler("apply", "demo")
    assert said.code == 0, said.all

    git(world.repo, "reset", "--quiet", "--hard", opened)
    git(world.repo, "push", "--quiet", "--force", "origin", "HEAD:main")
    for verb in ("plan", "apply"):
        said = world.reconciler(verb, "demo")
        assert said.code == 4, said.all
        text = " ".join(said.all.split())  # a plan's lines are folded
        assert f"'demo' was applied from {last[:12]}, and {opened[:12]} leaves it out" in text
        assert f"acceptRewrite: {opened}" in text
    assert not is_open(world)

    settings(world, acceptRewrite=opened)
    named = world.reconciler("plan", "demo")
    assert named.code == 3, named.all
    assert "leaves it out" not in named.all
    settings(world, acceptRewrite="")

    git(world.repo, "merge", "--quiet", "-S", "-s", "ours", "-m", "both", last)
    git(world.repo, "read-tree", "-u", "--reset", last)
    git(world.repo, "commit", "--quiet", "--amend", "-S", "-m", "both")
    git(world.repo, "push", "--quiet", "origin", "HEAD:main")
    both = world.reconciler("apply", "demo")
    assert both.code == 0, both.all
    assert not is_open(world)

    then = {"GIT_COMMITTER_DATE": "2020-06-01T12:00:00Z", "GIT_AUTHOR_DATE": "2020-06-01T12:00:00Z"}
    git(
        world.repo,
        "-c",
        f"user.signingKey={signing['then']}",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "x",
        env=then,
    )
    git(world.repo, "push", "--quiet", "origin", "HEAD:main")
    retired = world.reconciler("apply", "demo")
    assert retired.code == 4, retired.all
    assert "is not one of them now" in retired.err
