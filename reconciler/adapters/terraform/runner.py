"""One run from plan to apply, safe to kill anywhere: the next one imports what this one made but did not write down."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ... import interrupt, login_file
from ...errors import Permanent, ReconcilerError
from ...ports import Progress, Workspace
from ...process import Redactor, run
from . import documents, folder, unread
from .encryption import VARIABLE, Encryption
from .place import Keeper
from .plan import Plan
from .program import Program
from .stream import Follower

# The providers mostly wait between polls; servers of a large cluster should wait side by side.
_PARALLELISM = 20
# Nothing else of our environment reaches a provider: an OS_* or KUBE* variable would quietly win over the settings.
_INHERITED = (
    *("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
# How one is let in where the state is kept; only what belongs to the backend in use is handed on.
_CREDENTIALS = {"s3": ("AWS_",), "pg": ("PG",), "http": ("TF_HTTP_USERNAME", "TF_HTTP_PASSWORD", "TF_HTTP_CLIENT_")}
_FIXED = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}


class Terraform:
    """`binary` is tofu or terraform, `cli_config` its CLI configuration (where providers come from), `timeout` the
    seconds one run of it may take, `lock_seconds` how long another run's lock is waited for. With `encryption`, state
    and plans are never in clear. `state_credentials` are the variables that let us in where the state is kept, instead
    of those of this process's environment."""

    def __init__(
        self,
        binary: Path,
        cli_config: Path | None,
        timeout: float,
        redactor: Redactor,
        encryption: Encryption | None = None,
        *,
        lock_seconds: int = 60,
        state_credentials: Mapping[str, str] | None = None,
    ) -> None:
        self._binary = binary
        self._state_credentials = state_credentials
        self._cli_config = cli_config
        self._timeout = timeout
        self._redact = redactor
        self._encryption = encryption
        self._lock_seconds = lock_seconds

    def apply(self, workspace: Workspace, progress: Progress) -> None:
        """Plan, check, and apply that very plan. Raises Blocked when the saved plan would delete or replace an
        address that is not in `may_destroy`; Transient or Permanent, with evidence, when a run fails."""
        with self._in(workspace, progress) as (program, keeper):
            state = keeper.pull()
            plan, state = self._plan(program, keeper, workspace, state, progress)
            plan.check(workspace.may_destroy)
            try:
                if plan.changes:
                    self._apply(program, plan, progress)
            finally:
                self._remember(keeper, workspace, None if plan.changes else state)

    def take(self, workspace: Workspace, progress: Progress) -> int:
        """Write what is live into the state, and change nothing of it. Return how many changes an apply would make.

        The imports are planned with every other change ignored: the plan that is applied writes the state alone.
        Where there is more to do than to import, each resource is imported by a command of its own, which takes longer.
        """
        with self._in(workspace, progress) as (program, keeper):
            held = folder.addresses(keeper.pull())
            left = {a: id for a, id in workspace.live.items() if a not in held}
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
            changes = unread.changes(documents.plan(program("show", None, folder.PLAN, json=True).stdout))
            self._told(program, keeper, workspace, changes)
            self._remember(keeper, workspace, None)
        return sum(change.more or change.address in workspace.reread for change in changes)

    def _told(self, program: Program, keeper: Keeper, workspace: Workspace, changes: Sequence[unread.Change]) -> None:
        """Let the state know what the provider never reads back, where our own look found it as desired."""
        known = [change for change in changes if change.values and change.address not in workspace.reread]
        if known:
            state = json.dumps(unread.told(keeper.pull(), known))
            program("state push", None, "-", stdin=state, lock_timeout=f"{self._lock_seconds}s")

    def _import_each(self, program: Program, left: Mapping[str, str], progress: Progress) -> None:
        with progress.task(f"{self._binary.name} import") as task:
            task.total(len(left))
            for address, id in sorted(left.items()):
                task.status(address)
                program("import", None, address, id, lock_timeout=f"{self._lock_seconds}s")
                task.advance()

    @contextmanager
    def _in(self, workspace: Workspace, progress: Progress) -> Iterator[tuple[Program, Keeper]]:
        """The workspace's folder, made ready; and tidied up whatever happens."""
        with login_file.given(workspace.login, workspace.directory) as entry:
            program, keeper = self._begun(workspace, progress, entry)
            try:
                keeper.settle(progress)
                yield program, keeper
            finally:
                folder.tidy(workspace.directory)

    def unlock(self, workspace: Workspace, lock: str, progress: Progress) -> None:
        """Take away the lock `lock`, which a run that is dead left on the state. Raises Permanent when that is not the
        lock there is."""
        program, keeper = self._begun(workspace, progress)
        keeper.settle(progress)
        program("force-unlock", None, lock, force=True)

    def _begun(
        self, workspace: Workspace, progress: Progress, entry: Mapping[str, str] | None = None
    ) -> tuple[Program, Keeper]:
        """`entry` are the variables of a login."""
        self._can_encrypt()
        folder.write(workspace)
        folder.put_back(workspace.directory)
        if workspace.backend is None:
            for note in folder.mend_state(workspace.directory):
                progress.log(note)
        environment = {**self._environment(workspace), **(entry or {})}
        program = Program(self._binary, environment, self._timeout, self._redact, workspace.directory)
        wanted = folder.providers_wanted(workspace, self._binary, self._cli_config)
        return program, Keeper(program, workspace, self._encryption, wanted)

    def _can_encrypt(self) -> None:
        """Terraform has no such thing, and would quietly write everything in clear."""
        if not self._encryption:
            return
        said = run([self._binary, "version"], timeout=60, env={**_FIXED, "PATH": os.environ.get("PATH", "")}).stdout
        if not said.startswith("OpenTofu"):
            hint = "leave `tools.tofu` out of the settings, or name OpenTofu there; or leave out terraform.encryption"
            raise Permanent(f"{self._binary} is not OpenTofu and can't encrypt a state", hint=hint)

    def _environment(self, workspace: Workspace) -> dict[str, str]:
        """A secret goes into the environment of the program, which nobody but us can read; into no argument."""
        before = (folder.note(workspace.directory) or {}).get("backend", "")  # where it is to be moved from, perhaps
        kinds = {before, workspace.backend.kind if workspace.backend else ""}
        prefixes = tuple(prefix for kind in kinds for prefix in _CREDENTIALS.get(kind, ()))
        ours = os.environ if self._state_credentials is None else self._state_credentials
        entry = {n: v for n, v in ours.items() if prefixes and n.startswith(prefixes)}
        inherited = {**{n: v for n, v in os.environ.items() if n in _INHERITED}, **entry}
        config = {"TF_CLI_CONFIG_FILE": str(self._cli_config)} if self._cli_config else {}
        secret = {VARIABLE: self._encryption.configuration()} if self._encryption else {}
        return {**inherited, **_FIXED, **config, **secret, **workspace.environment}

    def _plan(
        self, program: Program, keeper: Keeper, workspace: Workspace, state: dict[str, Any], progress: Progress
    ) -> tuple[Plan, dict[str, Any]]:
        """Plan; where Terraform would create what is live already, import it instead and plan again. Returns the state
        that the plan starts from, too."""
        with progress.task(f"{self._binary.name} plan") as task:
            # Tainted and live all the same: whether it must go says our own look at it, not a run that was cut off.
            doubtful = workspace.reread | (folder.tainted(state) - workspace.replace)
            doubtful = doubtful if workspace.only is None else doubtful & workspace.only
            state = self._forget(program, keeper, (doubtful & workspace.live.keys()) | workspace.forget, state)
            follow = Follower(task, progress)
            plan = self._planned(program, workspace, follow)
            strays = {address: workspace.live[address] for address in plan.creates if address in workspace.live}
            if strays:
                progress.log(f"importing {len(strays)} live resources that the state does not know")
                state = self._forget(program, keeper, strays.keys(), state)
                folder.write_imports(workspace.directory, strays)
                plan = self._planned(program, workspace, follow)
        return plan, state

    def _planned(self, program: Program, workspace: Workspace, follow: Follower) -> Plan:
        done = program(
            "plan",
            follow,
            ok=(0, 2),
            json=True,
            detailed_exitcode=True,
            out=folder.PLAN,
            lock_timeout=f"{self._lock_seconds}s",
            parallelism=_PARALLELISM,
            replace=sorted(workspace.replace),
            target=sorted(workspace.only or ()),
        )
        shown = program("show", None, folder.PLAN, json=True)
        return Plan.of(documents.plan(shown.stdout), changes=done.exit_code == 2)

    def _forget(self, program: Program, keeper: Keeper, addresses: Set[str], state: dict[str, Any]) -> dict[str, Any]:
        """Drop addresses from the state: an import passes over what it holds, though that may be long gone."""
        held = sorted(addresses & folder.addresses(state))
        if not held:
            return state
        options: dict[str, Any] = {"backup": folder.BACKUP} if keeper.place.backend is None else {}
        program("state rm", None, *held, lock_timeout=f"{self._lock_seconds}s", **options)
        return keeper.pull()

    def _remember(self, keeper: Keeper, workspace: Workspace, state: dict[str, Any] | None) -> None:
        """The next look starts no program to learn what the state holds. What can't be asked now is asked next time."""
        if not keeper.place.plain_file:
            with contextlib.suppress(ReconcilerError):
                folder.remember(workspace.directory, keeper.pull() if state is None else state)

    def _apply(self, program: Program, plan: Plan, progress: Progress) -> None:
        interrupt.check_certain()
        with progress.task(f"{self._binary.name} apply") as task:
            task.total(plan.operations)
            program(
                "apply",
                Follower(task, progress),
                folder.PLAN,
                json=True,
                lock_timeout=f"{self._lock_seconds}s",
                parallelism=_PARALLELISM,
            )
