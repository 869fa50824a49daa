"""A GitOps repository with its own cluster on the session's sandbox, used through the command line as people do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from reconciler.sandbox import gitops
from reconciler.sandbox.mischief import Mischief
from reconciler.sandbox.sandbox import Sandbox
from reconciler.toolchain import Toolbox

PROJECT = Path(__file__).resolve().parents[2]
BACKEND = "manifests/sid-backend/backend.yaml"


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


class World:
    """One clone of one repository with one cluster called `name`. `tools` replace pinned programs."""

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        name: str,
        *,
        cidr: str = "10.20.0.0/24",
        workers: int = 2,
        tools: Mapping[str, Path] | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.name = name
        self.repo = folder / "gitops"
        self.remote = folder / "gitops.git"
        self.config = folder / "reconciler.yaml"
        self.state = folder / "state"
        gitops.make(self.repo, self.remote, PROJECT, sandbox.public_key)
        if name != "demo":
            (self.repo / "desired" / "demo").rename(self.repo / "desired" / name)
        self.edit("name: demo", f"name: {name}")
        self.edit("cidr: 10.20.0.0/24", f"cidr: {cidr}")
        self.edit("count: 2", f"count: {workers}")
        settings = yaml.safe_load(sandbox.config.read_text())
        settings |= {"state": str(self.state), "openshift": {"moc": {"cluster": name}}}
        settings["tools"] = settings.get("tools", {}) | {tool: str(path) for tool, path in (tools or {}).items()}
        self.config.write_text(yaml.safe_dump(settings))
        # What tests do to machines should not wait for the session of the only environment there is.
        environment = self.repo / "desired" / name / "environments" / "ada-jupyter.yaml"
        environment.write_text(environment.read_text().replace("spec:\n", "spec:\n  movable: always\n", 1))
        gitops.commit(self.repo, f"{name}")

    @property
    def cluster_file(self) -> Path:
        return self.repo / "desired" / self.name / "cluster.yaml"

    def edit(self, old: str, new: str) -> None:
        """Replace text in cluster.yaml; it must be there."""
        text = self.cluster_file.read_text()
        assert old in text, old
        self.cluster_file.write_text(text.replace(old, new, 1))

    def commit(self, message: str = "change") -> None:
        gitops.commit(self.repo, message)

    def head(self) -> str:
        return gitops.git("-C", self.repo, "rev-parse", "HEAD").strip()

    def back_to(self, commit: str) -> bool:
        """Take back what anybody pushed since, as people do: by a commit, and apply it. False where nobody pushed: then
        nothing is done."""
        gitops.git("-C", self.repo, "pull", "--quiet", "--ff-only", "origin", "main")
        if self.head() == commit:
            return False
        gitops.git("-C", self.repo, "read-tree", "-u", "--reset", commit)
        self.commit("as before")
        said = self.reconciler("apply", self.name)
        assert said.code == 0, said.all
        return True

    def lose_state(self) -> None:
        """As if this were another machine: all that the reconciler kept here is gone."""
        shutil.rmtree(self.state)

    def reconciler(self, *argv: str, env: Mapping[str, str] | None = None, timeout: float = 600) -> Said:
        """Run the command line in a process of its own."""
        try:
            done = subprocess.run(
                [*self.command, *argv],
                capture_output=True,
                text=True,
                env={**os.environ, **(env or {})},
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"no end of {argv} after {timeout} s\n{self._unfinished(error)}") from None
        return Said(done.returncode, done.stdout, done.stderr)

    def _unfinished(self, error: subprocess.TimeoutExpired) -> str:
        """What it printed until then, and what the cluster looks like."""
        printed = "".join(part.decode(errors="replace") for part in (error.stdout, error.stderr) if part)
        with suppress(ValueError, OSError, subprocess.SubprocessError):
            printed += self.kubectl("get", "nodes,pods,deployments.apps,events", "-A", "-o", "wide")
        return printed

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "reconciler", "--repo", str(self.repo), "--config", str(self.config)]

    def observed(self) -> dict[str, Any]:
        """observed.yaml as the remote has it."""
        text = self.git("show", f"observed:{self.name}/observed.yaml")
        return dict(yaml.safe_load(text))

    def history(self) -> list[str]:
        """The observed branch's commits on the remote, oldest first."""
        try:
            return self.git("log", "--reverse", "--format=%H", "observed").split()
        except subprocess.CalledProcessError:
            return []

    def git(self, *argv: str) -> str:
        return subprocess.run(["git", "-C", self.remote, *argv], capture_output=True, text=True, check=True).stdout

    @property
    def kubeconfig(self) -> Path:
        (found,) = self.state.rglob("admin.conf")
        return found

    def kubectl(self, *argv: str) -> str:
        binary = shutil.which("kubectl", path=str(self.sandbox.machines_bin)) or "kubectl"
        done = subprocess.run(
            [binary, f"--kubeconfig={self.kubeconfig}", *argv], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    @cache  # noqa: B019 - one login for a world that lives as long as the session
    def mischief(self) -> Mischief:
        return Mischief(self.sandbox.clouds_yaml)

    def servers(self) -> dict[str, str]:
        """Names to ids of this cluster's servers, as the cloud has them."""
        found = self.mischief().connection.compute.servers()
        return {s.name: s.id for s in found if re.match(rf"{self.name}-(cp|worker)-", s.name)}

    def tofu_plan(self, toolbox: Toolbox, workspace: str) -> tuple[int, str]:
        """OpenTofu's own verdict on a workspace: `plan -detailed-exitcode`, and what it said."""
        (folder,) = self.state.rglob(workspace)
        env = {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(self.sandbox.clouds_yaml),
            "TF_CLI_CONFIG_FILE": str(toolbox.cli_config()),
        }
        argv = [str(toolbox.ensure("tofu")["tofu"].path), "plan", "-detailed-exitcode", "-input=false", "-no-color"]
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout + done.stderr

    def openstack(self, *argv: str) -> str:
        """The real client, with the credential the reconciler has."""
        binary = Path(sys.executable).with_name("openstack")
        env = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(self.sandbox.clouds_yaml), "OS_CLOUD": "sandbox"}
        done = subprocess.run([binary, *argv], capture_output=True, text=True, check=True, env=env, timeout=120)
        return done.stdout


@contextmanager
def edited(file: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The only object of that kind in a file of manifests; what is changed of it is written."""
    documents = list(yaml.safe_load_all(file.read_text()))
    (found,) = (d for d in documents if d["kind"] == kind)
    yield found
    file.write_text(yaml.safe_dump_all(documents))
