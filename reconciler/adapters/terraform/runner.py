"""One run from plan to apply, safe to kill anywhere: the next one imports what this one made but did not write down."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...ports import Progress, Workspace
from ...process import Completed, Redactor, run
from . import folder, unread
from .failure import failure
from .plan import Plan
from .stream import Follower

# The providers mostly wait between polls; servers of a large cluster should wait side by side.
_PARALLELISM = 20
_LOCK_TIMEOUT = "60s"
# Nothing else of our environment reaches a provider: an OS_* or KUBE* variable would quietly win over the settings.
_INHERITED = (
    *("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
_FIXED = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}


class Terraform:
    """`binary` is tofu or terraform, `cli_config` its CLI configuration (where providers come from), `timeout` the
    seconds one run of it may take."""

    def __init__(self, binary: Path, cli_config: Path | None, timeout: float, redactor: Redactor) -> None:
        self._binary = binary
        self._cli_config = cli_config
        self._timeout = timeout
        self._redact = redactor

    def apply(self, workspace: Workspace, progress: Progress) -> None:
        """Plan, check, and apply that very plan. Raises Blocked when the saved plan would delete or replace an
        address that is not in `may_destroy`; Transient or Permanent, with evidence, when a run fails."""
        with self._in(workspace, progress) as program:
            plan = self._plan(program, workspace, progress)
            plan.check(workspace.may_destroy)
            if plan.changes:
                self._apply(program, plan, progress)

    def take(self, workspace: Workspace, progress: Progress) -> int:
        """Write what is live into the state, and change nothing of it. Return how many changes an apply would make.

        The imports are planned with every other change ignored: the plan that is applied writes the state alone.
        Where there is more to do than to import, each resource is imported by a command of its own, which takes longer.
        """
        with self._in(workspace, progress) as program:
            left = {a: id for a, id in workspace.live.items() if a not in folder.addresses(workspace.directory)}
            with progress.task(f"{self._binary.name} plan") as task:
                folder.write_imports(workspace.directory, left, only=True)
                plan = self._planned(program, workspace, Follower(task, progress))
            if plan.changes and plan.operations == 0:
                self._apply(program, plan, progress)
            folder.tidy(workspace.directory)
            if plan.operations:
                self._import_each(program, left, progress)
            with progress.task(f"{self._binary.name} plan") as task:
                self._planned(program, workspace, Follower(task, progress))
            changes = unread.changes(json.loads(program("show", None, folder.PLAN, json=True).stdout))
            self._told(program, workspace, changes)
        return sum(change.more or change.address in workspace.reread for change in changes)

    def _told(self, program: _Program, workspace: Workspace, changes: Sequence[unread.Change]) -> None:
        """Let the state know what the provider never reads back, where our own look found it as desired."""
        known = [change for change in changes if change.values and change.address not in workspace.reread]
        if known:
            state = json.loads(program("state pull").stdout)
            with folder.draft(workspace.directory, unread.told(state, known)) as file:
                program("state push", None, file.name, lock_timeout=_LOCK_TIMEOUT)

    def _import_each(self, program: _Program, left: Mapping[str, str], progress: Progress) -> None:
        with progress.task(f"{self._binary.name} import") as task:
            task.total(len(left))
            for address, id in sorted(left.items()):
                task.status(address)
                program("import", None, address, id, lock_timeout=_LOCK_TIMEOUT)
                task.advance()

    @contextmanager
    def _in(self, workspace: Workspace, progress: Progress) -> Iterator[_Program]:
        """The workspace's folder, made ready; and tidied up whatever happens."""
        folder.write(workspace)
        for note in folder.mend_state(workspace.directory):
            progress.log(note)
        program = _Program(self._binary, self._environment(workspace), self._timeout, self._redact, workspace.directory)
        try:
            self._init(program, workspace, progress)
            yield program
        finally:
            folder.tidy(workspace.directory)

    def _environment(self, workspace: Workspace) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        config = {"TF_CLI_CONFIG_FILE": str(self._cli_config)} if self._cli_config else {}
        return {**inherited, **_FIXED, **config, **workspace.environment}

    def _init(self, program: _Program, workspace: Workspace, progress: Progress) -> None:
        wanted = folder.providers_wanted(workspace, self._binary, self._cli_config)
        if folder.providers_ready(workspace.directory, wanted):
            return
        with progress.task(f"{self._binary.name} init"):
            program("init", upgrade=True, no_color=True)
        folder.mark_ready(workspace.directory, wanted)

    def _plan(self, program: _Program, workspace: Workspace, progress: Progress) -> Plan:
        """Plan; where Terraform would create what is live already, import it instead and plan again."""
        with progress.task(f"{self._binary.name} plan") as task:
            # Tainted and live all the same: whether it must go says our own look at it, not a run that was cut off.
            doubtful = workspace.reread | (folder.tainted(workspace.directory) - workspace.replace)
            self._forget(program, workspace, doubtful & workspace.live.keys())
            follow = Follower(task, progress)
            plan = self._planned(program, workspace, follow)
            strays = {address: workspace.live[address] for address in plan.creates if address in workspace.live}
            if strays:
                progress.log(f"importing {len(strays)} live resources that the state does not know")
                self._forget(program, workspace, strays.keys())
                folder.write_imports(workspace.directory, strays)
                plan = self._planned(program, workspace, follow)
        return plan

    def _planned(self, program: _Program, workspace: Workspace, follow: Follower) -> Plan:
        done = program(
            "plan",
            follow,
            ok=(0, 2),
            json=True,
            detailed_exitcode=True,
            out=folder.PLAN,
            lock_timeout=_LOCK_TIMEOUT,
            parallelism=_PARALLELISM,
            replace=sorted(workspace.replace),
        )
        shown = program("show", None, folder.PLAN, json=True)
        return Plan.of(json.loads(shown.stdout), changes=done.exit_code == 2)

    def _forget(self, program: _Program, workspace: Workspace, addresses: Set[str]) -> None:
        """Drop addresses from the state: an import passes over what it holds, though that may be long gone."""
        held = sorted(addresses & folder.addresses(workspace.directory))
        if held:
            program("state rm", None, *held, lock_timeout=_LOCK_TIMEOUT, backup=folder.BACKUP)

    def _apply(self, program: _Program, plan: Plan, progress: Progress) -> None:
        with progress.task(f"{self._binary.name} apply") as task:
            task.total(plan.operations)
            program(
                "apply",
                Follower(task, progress),
                folder.PLAN,
                json=True,
                lock_timeout=_LOCK_TIMEOUT,
                parallelism=_PARALLELISM,
            )


class _Program:
    """Runs the binary in one folder; python-terraform knows how its options are spelled."""

    def __init__(
        self, binary: Path, environment: Mapping[str, str], timeout: float, redact: Redactor, directory: Path
    ) -> None:
        from python_terraform import Terraform as CommandLine

        self._spell = CommandLine(working_dir=str(directory), terraform_bin_path=str(binary)).generate_cmd_string
        self._environment = environment
        self._timeout = timeout
        self._redact = redact
        self._directory = directory

    def __call__(
        self,
        command: str,
        on_line: Callable[[str], None] | None = None,
        *arguments: str,
        ok: tuple[int, ...] = (0,),
        **options: Any,
    ) -> Completed:
        """Run `command`; True stands for a bare flag. Raises Transient or Permanent with what Terraform said."""
        from python_terraform import IsFlagged

        spelled = {name: IsFlagged if value is True else value for name, value in options.items()}
        if command.split(maxsplit=1)[0] in {"init", "plan", "apply"}:
            spelled["input"] = False
        done = run(
            self._spell(command, *arguments, **spelled),
            cwd=self._directory,
            env=self._environment,
            timeout=self._timeout,
            on_line=on_line,
            check=False,
            redact=self._redact,
            stop_signal=signal.SIGINT,  # it then waits for what is under way and writes the state down
        )
        if done.exit_code not in ok:
            raise failure(done, self._redact)
        return done
