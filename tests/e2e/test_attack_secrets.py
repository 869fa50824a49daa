"""Attacks on what SOPS keeps: whoever writes YAML, and whatever a server says, no output shows an opened value."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from reconciler import process
from reconciler.toolchain import Toolbox

from .test_secrets import written
from .world import Said, World

pytestmark = pytest.mark.live

CANARY = "canary/a7c1+5d0e 9b"
CODED = base64.b64encode(CANARY.encode()).decode()
NUMBER = 739_018_465_213
FOLDER = "manifests/attack"
TEAM = "manifests/other-team"
POLICY = "attack-secrets"
GROUP = "admissionregistration.k8s.io/v1"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "attack", "namespace": "sid"},
    "stringData": {"word": CANARY},
}
CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "attack", "namespace": "sid"},
    "data": {"word": "PLACE"},
}


class Keeper:
    """Encrypts as a team does that keeps its secrets in the repository; the reconciler's machine has the key."""

    def __init__(self, tools: dict[str, Path], folder: Path) -> None:
        self.sops, self.key = tools["sops"], folder / "age.txt"
        process.run([tools["age-keygen"], "-o", self.key], timeout=60)
        (self.recipient,) = re.findall(r"age1\w+", self.key.read_text())

    def keeps(self, file: Path, manifest: dict[str, Any], *which: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(manifest))
        argv = [
            self.sops,
            "--encrypt",
            "--age",
            self.recipient,
            "--encrypted-regex",
            "^(data|stringData)$",
            "--in-place",
        ]
        process.run([*argv, *which, file], timeout=60)
        assert CANARY not in file.read_text()


@pytest.fixture(scope="module")
def keeper(toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> Keeper:
    found = toolbox.ensure("sops", "age-keygen")
    return Keeper({name: one.path for name, one in found.items()}, tmp_path_factory.mktemp("keeper"))


@pytest.fixture(scope="module")
def attacked(world: World, keeper: Keeper) -> Iterator[World]:
    """The world with the key to its secrets, and a workload of the attacker's; as before when it is over."""
    settings, before = world.config.read_text(), world.head()
    world.config.write_text(yaml.safe_dump({**yaml.safe_load(settings), "sops": {"keyFile": str(keeper.key)}}))
    world.edit("  workloads:\n", f"  workloads:\n    - {{name: attack, path: {FOLDER}, namespace: sid}}\n")
    try:
        yield world
    finally:
        world.back_to(before)
        world.config.write_text(settings)


@pytest.fixture
def mine(attacked: World) -> Iterator[Path]:
    """The attacker's own folder, empty."""
    folder = attacked.repo / FOLDER
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


def outputs(world: World, folder: Path, *ways: tuple[str, ...]) -> tuple[list[Said], dict[str, str]]:
    """What the reconciler says in each of these ways, what is left on this machine, and what is committed."""
    results = [world.reconciler(way[0], world.name, *way[1:]) for way in ways]
    texts = {" ".join(way): one.all for way, one in zip(ways, results, strict=True)}
    texts |= {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    texts |= {"observed branch": world.git("log", "-p", "observed"), "caches": _caches(world)}
    return results, {**texts, **written(world.state)}


def _caches(world: World) -> str:
    settings = yaml.safe_load(world.config.read_text())
    root = Path(settings.get("cache") or os.environ.get("RECONCILER_CACHE") or Path.home() / ".cache/reconciler")
    kept = [file for name in ("kustomize", "helm/rendered") for file in (root / name).glob("*") if file.is_file()]
    return "".join(file.read_text(errors="replace") for file in kept)


def silent(texts: dict[str, str]) -> None:
    forms = (CANARY, CODED, CODED.rstrip("="), quote(CANARY, safe=""), json.dumps(CANARY), str(NUMBER))
    assert [(where, form) for where, text in texts.items() for form in forms if form in text] == []


def refused(world: World, folder: Path, place: str, *ways: tuple[str, ...]) -> None:
    """Whoever applies or, in other ways, looks gets the place, and nothing else."""
    commits = len(world.history())
    results, texts = outputs(world, folder, ("apply",), *ways)
    for result in results:
        assert result.code == 2, result.all
        assert place in result.err
    assert len(world.history()) == commits
    silent(texts)


def test_a_replacement_carries_no_value_of_another_teams_secret(
    attacked: World, keeper: Keeper, mine: Path, tmp_path: Path
) -> None:
    keeper.keeps(attacked.repo / TEAM / "secret.yaml", SECRET)
    (attacked.repo / TEAM / "kustomization.yaml").write_text("resources: [secret.yaml]\n")
    (mine / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (mine / "kustomization.yaml").write_text(f"""\
resources: [../{Path(TEAM).name}, config.yaml]
replacements:
- source: {{kind: Secret, fieldPath: stringData.word}}
  targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [data.word]}}]
""")
    attacked.commit("take what is another team's")
    report = ("plan", "--report", str(tmp_path / "plan"))
    refused(attacked, tmp_path, f"{FOLDER}/kustomization.yaml:2:", report)
    assert "would come to lie in ConfigMap attack" in (tmp_path / "plan/report.sarif").read_text()


def test_an_encrypted_config_map_is_not_opened(attacked: World, keeper: Keeper, mine: Path, tmp_path: Path) -> None:
    keeper.keeps(mine / "config.yaml", {**CONFIG, "data": {"word": CANARY}})
    attacked.commit("encrypt what is no Secret")
    refused(attacked, tmp_path, f"{FOLDER}/config.yaml:3:")


def test_a_number_among_a_secrets_data_is_refused_here_and_not_by_the_server(
    attacked: World, keeper: Keeper, mine: Path, tmp_path: Path
) -> None:
    keeper.keeps(mine / "secret.yaml", {**SECRET, "data": {"count": NUMBER}})
    attacked.commit("a number where text belongs")
    refused(attacked, tmp_path, f"{FOLDER}/secret.yaml:3:")


def test_a_policy_that_repeats_a_secret_is_not_repeated(
    attacked: World, keeper: Keeper, mine: Path, tmp_path: Path
) -> None:
    """The value arrives; then the cluster explains, with all it has, why it takes no other."""
    keeper.keeps(mine / "secret.yaml", SECRET)
    attacked.commit("a secret where it belongs")
    (applied,), texts = outputs(attacked, tmp_path, ("apply",))
    assert applied.code == 0, applied.all
    live = attacked.kubectl("-n", "sid", "get", "secret", "attack", "-o", "jsonpath={.data.word}")
    assert base64.b64decode(live).decode() == CANARY
    silent(texts)
    keeper.keeps(mine / "secret.yaml", {**SECRET, "stringData": {"word": CANARY, "more": "other"}})
    attacked.commit("another value")
    with explaining(attacked, tmp_path / "policy.yaml"):
        ways = [("apply",), ("drift", "--report", str(tmp_path / "drift"), "-o", "markdown")]
        (applied, drifted), texts = outputs(attacked, tmp_path, *ways)
    assert (applied.code, drifted.code) == (1, 3), applied.all + drifted.all
    hidden = "attack: the server refuses it"
    assert hidden in applied.all
    assert hidden in attacked.git("show", f"observed:{attacked.name}/observed.yaml")
    silent(texts)


@contextmanager
def explaining(world: World, file: Path) -> Iterator[None]:
    """The API server refuses to have that Secret written, and says what is in it."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}
    check = {
        "expression": "object.metadata.name != 'attack'",
        "messageExpression": "'it is ' + string(object.data['word'])",
    }
    policy = {"matchConstraints": {"resourceRules": [rule]}, "validations": [check]}
    binding = {"policyName": POLICY, "validationActions": ["Deny"]}
    kind, metadata = "ValidatingAdmissionPolicy", {"apiVersion": GROUP, "metadata": {"name": POLICY}}
    made = [{**metadata, "kind": kind, "spec": policy}, {**metadata, "kind": f"{kind}Binding", "spec": binding}]
    file.write_text(yaml.safe_dump_all(made))
    world.kubectl("apply", "-f", str(file))
    try:
        until = time.monotonic() + 30
        while CODED not in _denied(world):  # a policy counts a moment after it was made
            assert time.monotonic() < until, "the policy never came into force"
            time.sleep(0.2)
        yield
    finally:
        world.kubectl("delete", "-f", str(file))
        file.unlink()


def _denied(world: World) -> str:
    """What the server says to a change that changes nothing."""
    try:
        world.kubectl("-n", "sid", "label", "secret", "attack", f"tried=at-{time.monotonic_ns()}", "--dry-run=server")
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""
