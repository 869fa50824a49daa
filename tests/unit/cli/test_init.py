"""`reconciler init`, and that the other verbs take what it made."""

from __future__ import annotations

import os
import re
from pathlib import Path

import git
import pytest

from tests.unit.cli.conftest import Run
from tests.unit.examples import KEY


def test_what_it_makes_is_valid(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "my gitops"
    said = run("init", folder, "--name", "physics", "--cloud", "moc")
    assert (said.code, said.err) == (0, "")
    assert re.match(rf"made {re.escape(str(folder))}: \d+ files, and a first commit\n", said.out)
    assert f"grep -rn CHANGE-ME '{folder}'" in said.out
    checked = run("-C", folder, "validate")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith("note: desired/fleet.yaml has no spec.policy.tenants: ")
    assert checked.out.endswith("\nvalid: 1 cluster (physics)\n")
    assert "cloud: moc" in run("-C", folder, "show", "physics").out


def test_the_schemas_are_those_of_the_schema_verb(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path / "gitops")
    assert run("schema", "--write", tmp_path / "gitops/schema").code == 0
    assert git.Repo(tmp_path / "gitops").git.status("--porcelain") == ""


def test_the_plan_reads_its_first_commit(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path / "gitops")
    said = run("-q", "-C", tmp_path / "gitops", "plan")
    assert said.code == 1, "all is well but for the cloud, which nobody has here"
    assert "cloud 'openstack'" in said.out + said.err


def test_the_folder_is_meant_from_where_c_leads(run: Run, tmp_path: Path) -> None:
    said = run("-C", tmp_path, "init", "gitops", "--no-git")
    assert re.match(rf"made {re.escape(str(tmp_path))}/gitops: \d+ files; nothing is committed yet\n", said.out)
    assert not (tmp_path / "gitops/.git").exists()


def test_the_public_key_is_taken_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(f"\n{KEY} ada@laptop\n")
    assert run("init", tmp_path / "gitops", "--ssh-key", tmp_path / "key.pub").code == 0
    assert f"publicKey: {KEY}\n" in (tmp_path / "gitops/desired/research/cluster.yaml").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nsecret-of-mine\n", "is a private key, which never goes into git"),
        (f"{KEY}\n{KEY}\n".encode(), "has more than one line"),
        (b"\xff\xfesecret-of-mine", "is no text"),
        (b"secret-of-mine", "not an OpenSSH public key"),
        (b"", "not an OpenSSH public key"),
        (None, "cannot read the key"),
    ],
)
def test_a_key_that_is_none(run: Run, tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    said = run("init", tmp_path / "gitops", "--ssh-key", tmp_path / "key")
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert "hint: name the public" in said.err
    assert "secret-of-mine" not in said.err
    assert not (tmp_path / "gitops").exists()


@pytest.mark.parametrize("arguments", [["--name", "Höhle"], ["--name", "\udcff"], ["--cloud", "a\nb"], ["--name", ""]])
def test_names_that_are_none(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    said = run("init", tmp_path / "gitops", *arguments)
    assert (said.code, said.out) == (2, "")
    assert "hint: " in said.err
    assert os.listdir(tmp_path) == []


def test_a_folder_with_something_in_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    said = run("init", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        f"error: there is something in {tmp_path} already: 'thesis.tex'",
        "  hint: name a new or an empty folder; nothing is ever overwritten",
    ]
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_folder_of_a_name_that_is_no_text(run: Run, tmp_path: Path) -> None:
    said = run("init", tmp_path / "a\udcff")
    assert said.code == 0
    assert said.out.startswith("made ")
