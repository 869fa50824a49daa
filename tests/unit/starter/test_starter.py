"""What a new GitOps repository holds, and that it comes whole, alone, or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from reconciler import process
from reconciler.adapters.forge.connect import _GITLAB_TOKENS
from reconciler.errors import Invalid, Permanent
from reconciler.report import bundle
from reconciler.spec import codeowners, desired_state, tenancy
from reconciler.starter import UNDECIDED, answered, files, write
from reconciler.toolchain import Toolbox
from tests.unit.examples import KEY
from tests.unit.spec.tenancy.scene import fleet
from tests.unit.test_docs import complain

ROOT = Path(__file__).resolve().parents[3]
AUTHOR = ("reconciler", "reconciler@example.org")
MADE = files(answered("physics", "openstack", KEY))
WORKFLOWS = {Path(path).name: text.decode() for path, text in MADE.items() if path.startswith(".github/workflows/")}

README = MADE["README.md"].decode()
ACTION = MADE[".github/actions/reconciler/action.yml"].decode()
JOBS = [job for text in WORKFLOWS.values() for job in yaml.safe_load(text)["jobs"].values()]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, git's own left out."""
    found = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {path: file.read_bytes() for path, file in found.items() if not path.startswith(".git/")}


def zizmor(*paths: Path) -> process.Completed:
    """What is known to be attackable in workflows; asks nobody."""
    program = Path(sys.executable).parent / "zizmor"
    options = ["--offline", "--no-progress", "--quiet", "--min-severity=medium"]
    return process.run([program, *options, *paths], timeout=60, check=False)


def git(folder: Path, *arguments: str) -> str:
    return process.run(["git", "-C", folder, *arguments], timeout=60).stdout


class TestFiles:
    def test_everything_that_a_repository_needs_is_there(self) -> None:
        tracked = git(ROOT, "ls-files", "terraform", "manifests").split()
        alone = [
            ".github/CODEOWNERS",
            ".github/actions/reconciler/action.yml",
            ".github/constraints.txt",
            ".github/requirements.txt",
            ".github/workflows/drift.yaml",
            ".github/workflows/plan.yaml",
            ".github/workflows/pull-request.yaml",
            ".github/workflows/reconcile.yaml",
            ".gitignore",
            ".gitlab-ci.yml",
            ".sops.yaml",
            "README.md",
            "desired/fleet.yaml",
            "desired/physics/cluster.yaml",
            "kubespray/version.yaml",
            *(f"schema/{path.name}" for path in (ROOT / "schema").glob("*.json")),
        ]
        assert sorted(MADE) == sorted([*tracked, *alone])

    def test_the_projects_own_files_are_copied_as_they_are(self) -> None:
        same = [path for path in MADE if path.startswith(("terraform/", "manifests/", "kubespray/", "schema/"))]
        assert [path for path in same if (ROOT / path).read_bytes() != MADE[path]] == []

    def test_the_desired_state_is_valid_and_as_answered(self) -> None:
        (cluster,) = desired_state.load(MADE)
        spec = cluster.cluster.spec
        assert (cluster.name, spec.cloud, spec.ssh.public_key) == ("physics", "openstack", KEY)
        desired_state.refuse_plain_secrets(MADE)

    @pytest.mark.parametrize("cloud", ["true", "1", "null", "moc: prod # new", 'a "quoted" \\ one', "Höhle", "@NAME@"])
    def test_a_cloud_of_any_name_is_read_as_it_was_given(self, cloud: str) -> None:
        (cluster,) = desired_state.load(files(answered("physics", cloud, KEY)))
        assert cluster.cluster.spec.cloud == cloud

    def test_editors_find_the_schemas(self) -> None:
        for path in (path for path in MADE if path.startswith("desired/")):
            modeline = re.match(r"# yaml-language-server: \$schema=(\S+)\n", MADE[path].decode())
            assert modeline, path
            schema = os.path.normpath(Path(path).parent / modeline[1])
            assert "$schema" in json.loads(MADE[schema])

    def test_a_key_that_is_not_given_is_said_plainly_to_be_missing(self) -> None:
        made = files(answered("physics", "openstack", None))
        desired_state.load(made)
        (line,) = [x for x in made["desired/physics/cluster.yaml"].decode().splitlines() if "publicKey:" in x]
        assert line.endswith(f"# {UNDECIDED}: your own")
        assert KEY.split()[1] not in line

    def test_what_only_a_person_knows_is_marked(self) -> None:
        text = MADE["desired/physics/cluster.yaml"].decode()
        for key in ("image", "user", "externalNetwork", "flavor", "ssh", "api"):
            assert re.search(rf"^ +{key}: \S.* # {UNDECIDED}", text, re.M), key

    def test_what_is_suggested_in_a_comment_is_valid_too(self) -> None:
        path = "desired/physics/cluster.yaml"
        text = MADE[path].replace(b"    # variables: {", b"    variables: {")
        assert text != MADE[path]
        (cluster,) = desired_state.load({**MADE, path: text})
        assert "supplementary_addresses_in_ssl_keys" in cluster.cluster.spec.kubernetes.variables

    def test_the_policy_that_is_suggested_suits_the_example(self) -> None:
        """Without its comment signs it lets the cluster be, and refuses what it does not name."""
        text = MADE["desired/fleet.yaml"].decode()
        block = re.search(r"(?:^    # .*\n)+", text[text.index("    # tenants:") :], re.M)
        assert block
        policy = text.replace(block[0], re.sub(r"^(    )# ", r"\1", block[0], flags=re.M))
        made = {**MADE, "desired/fleet.yaml": policy.encode()}
        desired_state.load(made)
        path = "desired/physics/cluster.yaml"
        with pytest.raises(Invalid) as refused:
            desired_state.load({**made, path: made[path].replace(b"externalNetwork: external", b"externalNetwork: a")})
        assert [problem.path for problem in refused.value.problems] == ["spec.network.externalNetwork"]

    def test_code_owners_protect_the_policy_and_what_runs_with_the_credentials(self) -> None:
        owners = {".github/CODEOWNERS": MADE[".github/CODEOWNERS"]}
        assert tenancy.remarks(fleet().encode(), owners) == []
        given = b"\n".join(owners[".github/CODEOWNERS"].splitlines()[-7:])
        assert codeowners.unowned(given, [path for path in MADE if path.startswith((".github/", "terraform/"))]) == []
        assert codeowners.unowned(given, ["desired/physics/cluster.yaml"]) == ["desired/physics/cluster.yaml"]

    def test_nothing_is_left_to_fill_in(self) -> None:
        assert [path for path, text in MADE.items() if re.search(rb"@[A-Z]+@", text)] == []

    def test_every_command_it_tells_of_exists(self) -> None:
        readme, cluster = (MADE[path].decode() for path in ("README.md", "desired/physics/cluster.yaml"))
        lines = [*re.findall(r"^ {4}(.*)$", readme, re.M), *re.findall(r"`([^`\n]+)`", readme + cluster)]
        lines += [run for text in WORKFLOWS.values() for run in re.findall(r"- run: (.*)$", text, re.M)]
        assert sum("reconciler " in line for line in lines) > 10
        assert [said for line in lines if (said := complain(line))] == []

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "Physics",
            "phy_sics",
            "1physics",
            "-a",
            "a-",
            "../a",
            "a/b",
            "höhle",
            "\uff50hy",
            "a" * 41,
            "a\n",
            "\udcff",
        ],
    )
    def test_names_that_no_machine_could_have(self, name: str) -> None:
        with pytest.raises(Invalid, match="--name: ") as refused:
            answered(name, "openstack", KEY)
        assert "lower-case letters" in (refused.value.hint or "")

    @pytest.mark.parametrize(
        "cloud", ["", " ", "a\nb", "a\x1b[2J", "a\u2028b", "\u202eknab", " a", "\udcff", "a" * 256]
    )
    def test_clouds_that_no_file_names_so(self, cloud: str) -> None:
        with pytest.raises(Invalid, match="--cloud: ") as refused:
            answered("physics", cloud, KEY)
        assert "clouds.yaml" in (refused.value.hint or "")

    @pytest.mark.parametrize("key", ["", "ssh-ed25519", "AAAA secret-of-mine", "ssh-dss " + "A" * 60])
    def test_what_is_no_public_key_is_refused_and_not_repeated(self, key: str) -> None:
        with pytest.raises(Invalid, match="--ssh-key: ") as refused:
            answered("physics", "openstack", key)
        assert ".pub" in (refused.value.hint or "")
        assert "secret-of-mine" not in str(refused.value)

    def test_a_clone_without_symbolic_links_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "project").mkdir()
        (tmp_path / "project/terraform").write_text("../../../terraform")
        monkeypatch.setattr("reconciler.starter.content._HERE", tmp_path)
        with pytest.raises(Permanent, match="there is no terraform here to copy") as refused:
            files(answered("physics", "openstack", KEY))
        assert "symbolic links" in (refused.value.hint or "")

    def test_what_tools_left_beside_a_module_stays_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here = tmp_path / "starter"
        shutil.copytree(ROOT / "reconciler/starter", here)
        module = here / "project/terraform/openstack-cluster"
        (module / ".terraform").mkdir()
        for name in (".terraform/main.tf", "terraform.tfstate", ".main.tf"):
            (module / name).write_text("mine")
        monkeypatch.setattr("reconciler.starter.content._HERE", here)
        assert files(answered("physics", "openstack", KEY)) == MADE


class TestWorkflows:
    @pytest.mark.live
    def test_they_are_valid(self, toolbox: Toolbox, tmp_path: Path) -> None:
        write(tmp_path / "gitops", MADE, git=True, author=AUTHOR)
        workflows = sorted((tmp_path / "gitops/.github/workflows").iterdir())
        actionlint = toolbox.ensure("actionlint")["actionlint"].path
        said = process.run([actionlint, "-no-color", *workflows], cwd=tmp_path / "gitops", timeout=60, check=False)
        assert (len(workflows), said.exit_code, said.stdout) == (4, 0, "")

    def test_nothing_is_known_to_be_attackable(self, tmp_path: Path) -> None:
        write(tmp_path / "gitops", MADE, git=False, author=AUTHOR)
        said = zizmor(tmp_path / "gitops/.github")
        assert said.exit_code == 0, said.stdout

    def test_this_project_uses_them_itself(self) -> None:
        """The copies in .github are what `init` writes; only where the reconciler comes from differs."""
        written = [p for p in MADE if p.startswith((".github/workflows/", ".github/actions/"))]
        assert len(written) == 5
        assert [p for p in written if (ROOT / p).read_bytes() != MADE[p]] == []
        assert (ROOT / ".github/constraints.txt").read_bytes() == MADE[".github/constraints.txt"]

    def test_actions_are_pinned_by_commit(self) -> None:
        """Each at one commit, which a list here names, so that another one is a change that somebody reads."""
        uses = {use for text in [*WORKFLOWS.values(), ACTION] for use in re.findall(r"uses: *(.+)", text)}
        assert uses == {
            "./.github/actions/reconciler",
            "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2",
            "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0",
            "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
            "github/codeql-action/upload-sarif@1b549b9259bda1cb5ddde3b41741a82a2d15a841 # v3.28.13",
        }

    def test_none_may_more_than_it_needs(self) -> None:
        allowed = {
            (name, job): said.get("permissions")
            for name, text in WORKFLOWS.items()
            for job, said in yaml.safe_load(text)["jobs"].items()
        }
        assert allowed == {
            ("pull-request.yaml", "validate"): None,
            ("plan.yaml", "plan"): {"actions": "read", "contents": "read", "pull-requests": "write"},
            ("reconcile.yaml", "reconcile"): {"actions": "read", "contents": "write"},
            ("drift.yaml", "drift"): {
                "actions": "read", "contents": "read", "issues": "write", "security-events": "write",
            },
        }  # fmt: skip
        assert {str(yaml.safe_load(text)["permissions"]) for text in WORKFLOWS.values()} == {
            "{'contents': 'read'}",
            "{}",
        }
        for text in WORKFLOWS.values():
            assert text.count("persist-credentials: false") == text.count("actions/checkout@") == 1

    def test_until_somebody_says_so_only_validate_runs(self) -> None:
        jobs = {name: job for text in WORKFLOWS.values() for name, job in yaml.safe_load(text)["jobs"].items()}
        off = {name for name, job in jobs.items() if "vars.RECONCILER == 'on' && " in job.get("if", "")}
        assert set(jobs) - off == {"validate"}

    def test_a_fork_is_not_planned(self) -> None:
        condition = yaml.safe_load(WORKFLOWS["plan.yaml"])["jobs"]["plan"]["if"]
        assert "github.event.workflow_run.head_repository.full_name == github.repository" in condition

    def test_nothing_from_outside_is_put_into_a_command(self) -> None:
        steps = [step for job in JOBS for step in job["steps"]] + yaml.safe_load(ACTION)["runs"]["steps"]
        assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []

    @pytest.mark.parametrize(
        ("verb", "head", "called"),
        [("plan", "", "plan"), ("run", "", "run"), ("plan", "f" * 40, "ci plan")],
    )
    @pytest.mark.parametrize(("code", "passes"), [(0, True), (3, True), (4, False), (1, False)])
    def test_the_actions_steps_run_the_verb_and_tell_of_it(
        self, tmp_path: Path, verb: str, head: str, called: str, code: int, passes: bool
    ) -> None:
        """Its scripts as bash runs them, with a `reconciler` that writes down how it was called."""
        writes = f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n'
        stub = writes + f'case "$1 $2" in "ci "*) exit 0;; *) echo "::error::x"; exit {code};; esac\n'
        (tmp_path / "reconciler").write_text(stub)
        (tmp_path / "reconciler").chmod(0o755)
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output")}
        env |= {"VERB": verb, "CLUSTERS": "a b" * (not head), "REF": "main" * (not head), "HEAD": head}
        env |= {"REPORT": str(tmp_path / "report"), "ACCEPT": "0 3"}
        steps = [s for s in yaml.safe_load(ACTION)["runs"]["steps"] if "run" in s]
        at = next(number for number, step in enumerate(steps) if step.get("id") == "run")
        first, *rest, last = [s["run"] for s in steps[at:] if "always()" not in s.get("if", "")]
        said = process.run(["bash", "-eo", "pipefail", "-c", first], env=env, timeout=60).stdout.splitlines()
        stop = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", said[0])
        assert stop, said
        assert said[1:] == ["::error::x", f"::{stop[1]}::"], "what is printed in between is no command"
        for script in rest:
            process.run(["bash", "-eo", "pipefail", "-c", script], env=env, timeout=60)
        report, tail = tmp_path / "report", " --ref main a b"
        assert (tmp_path / "called").read_text().splitlines() == [
            f"--quiet {called} --report {report}" + " --once" * (verb == "run") + (f" --head {head}" if head else tail),
            *(f"ci {what} {report}" for what in ("annotate", "summary", "issue")),
        ]
        env["CODE"] = (tmp_path / "output").read_text().strip().removeprefix("code=")
        done = process.run(["bash", "-eo", "pipefail", "-c", last], env=env, timeout=60, check=False)
        assert done.exit_code == (0 if passes else code)

    def test_the_credentials_are_a_folder_that_is_there_for_the_job_alone(self, tmp_path: Path) -> None:
        """Its scripts as bash runs them, and the command that the README has for making the secret."""
        steps = yaml.safe_load(ACTION)["runs"]["steps"]
        unpack = next(step["run"] for step in steps if step.get("id") == "credentials")
        clean = next(step["run"] for step in steps if "always()" in step.get("if", ""))
        (tmp_path / "made/.config/reconciler").mkdir(parents=True)
        (tmp_path / "made/.config/reconciler/config.yaml").write_text("clouds: ~/.config/reconciler/clouds.yaml\n")
        (make,) = [line for line in README.splitlines() if line.startswith("    tar -C ~/.config/reconciler")]
        pack = make.split(" | gh ")[0].strip()
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "made")}
        env["CREDENTIALS"] = process.run(["bash", "-c", pack], env=env, timeout=60).stdout
        env["HOME"] = str(tmp_path / "runner")
        process.run(["bash", "-eo", "pipefail", "-c", unpack], env=env, timeout=60)
        folder = tmp_path / "runner/.config/reconciler"
        assert (folder / "config.yaml").read_text().startswith("clouds: ")
        again = process.run(["bash", "-eo", "pipefail", "-c", unpack], env=env, timeout=60, check=False)
        assert (again.exit_code, again.stdout) == (1, "this machine has settings of its own\n")
        process.run(["bash", "-eo", "pipefail", "-c", clean], env=env, timeout=60)
        assert not folder.exists()

    def test_git_has_the_token_for_as_long_as_it_asks(self, tmp_path: Path) -> None:
        steps = yaml.safe_load(ACTION)["runs"]["steps"]
        (script,) = [step["run"] for step in steps if "credential." in step.get("run", "")]
        git(tmp_path, "init", "--quiet")
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GITHUB_SERVER_URL": "https://github.com"}
        process.run(["bash", "-eo", "pipefail", "-c", script], env=env, cwd=tmp_path, timeout=60)
        assert "canary" not in (tmp_path / ".git/config").read_text()
        env |= {"RECONCILER_GIT_TOKEN": "canary", "GIT_TERMINAL_PROMPT": "0"}
        for host, given in (("github.com", True), ("other.example.org", False)):
            asked = f"protocol=https\nhost={host}\n\n"
            fill = ["git", "credential", "fill"]
            said = process.run(fill, env=env, cwd=tmp_path, timeout=60, stdin=asked, check=False)
            assert ("password=canary" in said.stdout) == given, host

    def test_every_command_of_the_action_exists(self) -> None:
        lines = [line for s in yaml.safe_load(ACTION)["runs"]["steps"] for line in s.get("run", "").splitlines()]
        told = [line.replace('"${verb[@]}"', "plan") for line in lines if line.lstrip().startswith("reconciler")]
        assert len(told) == 5
        assert [said for line in told if (said := complain(line))] == []


class TestGitLab:
    """GitLab's own schema can't be reached from a test: this is the part of it that the file uses."""

    KEYWORDS = frozenset(
        {"extends", "stage", "image", "interruptible", "rules", "script", "before_script", "artifacts", "environment"}
        | {"resource_group", "timeout", "tags", "variables"}
    )
    FILE: ClassVar[dict[str, Any]] = yaml.safe_load(MADE[".gitlab-ci.yml"])
    WORK: ClassVar[dict[str, Any]] = {k: v for k, v in FILE.items() if k not in ("stages", "variables")}

    def test_its_jobs_have_only_words_that_gitlab_knows(self) -> None:
        jobs = {name: job for name, job in self.WORK.items() if not name.startswith(".")}
        assert sorted(jobs) == ["drift", "plan", "reconcile", "validate"]
        for name, job in self.WORK.items():
            assert set(job) <= self.KEYWORDS, name
        for job in jobs.values():
            assert job["stage"] in self.FILE["stages"]
            assert all(isinstance(line, str) for line in job["script"])
            assert {key for rule in job["rules"] for key in rule} <= {"if", "when"}
            bases = job["extends"] if isinstance(job["extends"], list) else [job["extends"]]
            assert set(bases) <= set(self.WORK)

    def _whole(self, name: str) -> dict[str, Any]:
        """A job with what it extends, merged as GitLab does: mappings deeply, anything else by the last."""
        job = self.WORK[name]
        bases = job.get("extends", [])
        found: dict[str, Any] = {}
        for part in [*(self._whole(b) for b in ([bases] if isinstance(bases, str) else bases)), job]:
            found |= {k: found.get(k, {}) | v if isinstance(v, dict) else v for k, v in part.items()}
        return found

    def test_a_plan_is_made_where_nothing_can_be_written(self) -> None:
        token = "RECONCILER_GITLAB_TOKEN"
        given = {name: self._whole(name) for name in ("plan", "reconcile", "drift")}
        assert {name: job["tags"] for name, job in given.items()} == {
            "plan": ["reconciler-plan"],
            "reconcile": ["reconciler"],
            "drift": ["reconciler-plan"],
        }
        assert {name: job["variables"][token] for name, job in given.items()} == {
            "plan": "$RECONCILER_PLAN_TOKEN",
            "reconcile": "$GITLAB_TOKEN",
            "drift": "$RECONCILER_PLAN_TOKEN",
        }
        assert all(f"password=${token}" in str(job["before_script"]) for job in given.values())
        assert _GITLAB_TOKENS[0] == token, "and the reconciler takes it before any other"

    def test_its_first_lines_say_what_is_protected(self) -> None:
        head = MADE[".gitlab-ci.yml"].decode().split("stages:")[0]
        for said in ("each of them protected: RECONCILER=on", "each of them protected: one with the tag `reconciler`"):
            assert said in head
        assert "main: a protected branch" in head

    def test_the_token_is_in_no_argument_and_no_address(self) -> None:
        told = [line for job in self.WORK.values() for key in ("script", "before_script") for line in job.get(key, ())]
        assert [line for line in told if "TOKEN" in line and not line.startswith('git config "credential.')] == []

    def test_reports_are_what_a_verb_writes(self) -> None:
        assert self.WORK[".report"]["artifacts"]["reports"] == {"codequality": "reconciler-report/codequality.json"}
        assert "codequality.json" in bundle.files(bundle.Report("plan", ""))

    @pytest.mark.parametrize(("code", "passes"), [(0, True), (3, True), (4, True), (2, False), (1, False)])
    def test_a_plan_that_differs_is_no_failure(self, tmp_path: Path, code: int, passes: bool) -> None:
        (tmp_path / "reconciler").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "reconciler").chmod(0o755)
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REPORT": "r"}
        script = "\n".join(self.WORK["plan"]["script"])
        done = process.run(["bash", "-eo", "pipefail", "-c", script], env=env, timeout=60, check=False)
        assert done.exit_code == (0 if passes else code)

    def test_every_command_of_it_exists(self) -> None:
        told = [line for job in self.WORK.values() for line in job.get("script", ()) if "reconciler " in line]
        told += self.WORK[".credentials"]["before_script"]
        assert sum("reconciler " in line for line in told) == 6
        assert [said for line in told if (said := complain(line))] == []


class TestWrite:
    def test_a_new_folder_becomes_a_repository_with_one_commit(self, tmp_path: Path) -> None:
        made = write(tmp_path / "new/gitops", MADE, git=True, author=AUTHOR)
        assert (made.folder, made.committed) == (tmp_path / "new/gitops", True)
        assert tree(made.folder) == MADE
        assert git(made.folder, "status", "--porcelain") == ""
        assert git(made.folder, "ls-files", "-z").split("\0")[:-1] == sorted(MADE)
        assert git(made.folder, "rev-list", "--count", "main").strip() == "1"
        assert os.listdir(tmp_path) == ["new"]

    def test_an_empty_folder_is_taken_as_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "gitops").mkdir(mode=0o750)
        monkeypatch.chdir(tmp_path / "gitops")
        write(Path("."), MADE, git=True, author=AUTHOR)
        assert tree(Path.cwd()) == MADE
        assert (tmp_path / "gitops").stat().st_mode & 0o777 == 0o750

    def test_without_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert not write(tmp_path / "gitops", MADE, git=False, author=AUTHOR).committed
        assert not (tmp_path / "gitops/.git").exists()
        assert tree(tmp_path / "gitops") == MADE

    def test_a_repository_gets_the_files_and_no_commit(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet")
        (tmp_path / "LICENSE").write_text("mine")
        assert not write(tmp_path, MADE, git=True, author=AUTHOR).committed
        assert tree(tmp_path) == {**MADE, "LICENSE": b"mine"}
        assert git(tmp_path, "status", "--porcelain", "LICENSE") == "?? LICENSE\n"

    def test_a_hook_does_not_lead_git_elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "other.git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
        write(tmp_path / "gitops", MADE, git=True, author=AUTHOR)
        assert os.listdir(tmp_path) == ["gitops"]

    def test_whom_git_does_not_know_the_settings_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [n for n in os.environ if n.startswith("GIT_")]:
            monkeypatch.delenv(name)
        for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
            monkeypatch.setenv(name, os.devnull)
        write(tmp_path / "a", MADE, git=True, author=AUTHOR)
        assert git(tmp_path / "a", "log", "--format=%an %ae") == "reconciler reconciler@example.org\n"
        (tmp_path / "gitconfig").write_text(
            "[user]\nname = Ada\nemail = ada@example.org\n[commit]\ngpgSign = true\n"
            f"[core]\nexcludesFile = {tmp_path}/ignored\nautocrlf = input\n"
        )
        (tmp_path / "ignored").write_text("*.yaml\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
        write(tmp_path / "b", MADE, git=True, author=AUTHOR)
        assert git(tmp_path / "b", "log", "--format=%an %ae") == "Ada ada@example.org\n"
        assert git(tmp_path / "b", "ls-files").split() == sorted(MADE)

    @pytest.mark.parametrize("own", ["notes", ".hidden", "README.md", "desired"])
    def test_a_folder_that_is_not_empty_is_refused(self, tmp_path: Path, own: str) -> None:
        (tmp_path / own).write_text("mine")
        with pytest.raises(Invalid, match=f"already: '{re.escape(own)}'$") as refused:
            write(tmp_path, MADE, git=True, author=AUTHOR)
        assert "nothing is ever overwritten" in (refused.value.hint or "")
        assert tree(tmp_path) == {own: b"mine"}

    @pytest.mark.parametrize("own", ["README.md", ".gitignore", ".github", "desired"])
    def test_so_is_a_repository_with_such_files(self, tmp_path: Path, own: str) -> None:
        git(tmp_path, "init", "--quiet")
        (tmp_path / own).symlink_to("nowhere")
        with pytest.raises(Invalid, match="there is something"):
            write(tmp_path, MADE, git=True, author=AUTHOR)
        assert sorted(os.listdir(tmp_path)) == sorted([".git", own])

    def test_a_second_time_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path / "gitops", MADE, git=True, author=AUTHOR)
        with pytest.raises(Invalid, match="there is something"):
            write(tmp_path / "gitops", {**MADE, "README.md": b"other"}, git=True, author=AUTHOR)
        assert tree(tmp_path / "gitops") == MADE

    @pytest.mark.parametrize("folder", ["file", "file/below", "link", "link/below"])
    def test_what_is_no_folder_is_refused(self, tmp_path: Path, folder: str) -> None:
        (tmp_path / "file").write_text("mine")
        (tmp_path / "link").symlink_to("nowhere")
        with pytest.raises(Invalid, match="is not a folder") as refused:
            write(tmp_path / folder, MADE, git=True, author=AUTHOR)
        assert refused.value.hint
        assert sorted(os.listdir(tmp_path)) == ["file", "link"]

    @pytest.mark.parametrize("folder", ["/proc/gitops", "{here}/" + "a" * 300], ids=["read-only", "too long"])
    def test_where_nobody_can_write(self, tmp_path: Path, folder: str) -> None:
        with pytest.raises(Invalid, match="cannot write to") as refused:
            write(Path(folder.format(here=tmp_path)), MADE, git=True, author=AUTHOR)
        assert "may write" in (refused.value.hint or "")
        assert os.listdir(tmp_path) == []

    def test_a_name_that_no_terminal_can_show(self, tmp_path: Path) -> None:
        (tmp_path / "a\x1b\udcff").write_text("mine")
        with pytest.raises(Invalid) as refused:
            write(tmp_path / "a\x1b\udcff", MADE, git=True, author=AUTHOR)
        assert refused.value.message.isprintable()

    def test_without_git_on_the_machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Permanent, match="git was not found") as refused:
            write(tmp_path / "gitops", MADE, git=True, author=AUTHOR)
        assert "--no-git" in (refused.value.hint or "")
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("folder", ["new/gitops", "there"])
    def test_nothing_is_left_when_git_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
        (tmp_path / "there").mkdir()
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "there"))  # a folder, which git can't read
        with pytest.raises(Permanent):
            write(tmp_path / folder, MADE, git=True, author=AUTHOR)
        assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["there"]

    @pytest.mark.parametrize("stopped", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_nothing_is_left_when_it_is_stopped_in_the_middle(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: BaseException
    ) -> None:
        rename, done = Path.rename, []

        def third_fails(this: Path, target: Path) -> Path:
            done.append(target)
            if len(done) == 3:
                raise stopped
            return rename(this, target)

        monkeypatch.setattr(Path, "rename", third_fails)
        with pytest.raises((Invalid, KeyboardInterrupt)):
            write(tmp_path, MADE, git=True, author=AUTHOR)
        assert len(done) == 5, "two were put in place, and taken back"
        assert os.listdir(tmp_path) == []

    def test_what_somebody_else_made_meanwhile_stays(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "there").mkdir()
        monkeypatch.setattr(
            "reconciler.starter.disk._first_commit", lambda *_: (tmp_path / "there/README.md").write_text("mine")
        )
        with pytest.raises(Invalid, match="somebody else made"):
            write(tmp_path / "there", MADE, git=True, author=AUTHOR)
        assert tree(tmp_path) == {"there/README.md": b"mine"}


def test_an_installed_wheel_makes_the_same(tmp_path: Path) -> None:
    """The links of the clone are files in the wheel; no clone is at hand where it is installed."""
    source = tmp_path / "source"
    tracked = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:-1]
    for path in (p for p in tracked if not p.startswith((".", "tests/", "docs/")) and os.path.lexists(ROOT / p)):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, source / path, follow_symlinks=False)
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    shutil.rmtree(source)
    (tmp_path / "key.pub").write_text(f"{KEY} ada@laptop\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "PYTHONSAFEPATH": "1"}
    init = [sys.executable, "-m", "reconciler", "init", "gitops", "--name", "physics", "--ssh-key", "key.pub"]
    said = process.run(init, cwd=tmp_path, env=env, timeout=60)
    assert "and a first commit" in said.stdout
    assert tree(tmp_path / "gitops") == MADE
