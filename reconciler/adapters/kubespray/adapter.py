"""The Kubespray port: runs a playbook of the given folder, be it Kubespray's or one with the same entry points."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from ... import interrupt, login_file
from ...errors import Invalid, Permanent
from ...model.host_key import Vouched
from ...ports import Place, Playbook, Progress
from . import failure, hangup, known_hosts
from .ask import Line, ask, receive, send
from .bastion import through_bastion
from .environment import environment
from .events import Events
from .fetched import api_of
from .folder import Folder
from .login import command_line, question
from .offered import offered
from .reach import explained
from .sockets import control_sockets
from .source import Installed, Source
from .turn import turn

_KEPT_RUNS = 5
_CANCEL_SECONDS = 1  # how long an interrupt may wait to be noticed while Ansible prints nothing


def _never() -> bool:
    return False


class Kubespray:
    """Runs the playbooks of `source`, logging in with `private_key`. They are got when the first one is run.

    `state` holds a private folder per cluster. `timeout` is seconds for one playbook. Ansible gets a short list of our
    environment and all of `environment`. `cancel` is asked every second or so; once it says True the playbook is ended.
    Variables reach Ansible as text; those of the inventory's groups that are called as in `templates` may be templates.
    """

    def __init__(
        self,
        source: Source,
        *,
        state: Path,
        private_key: Path,
        timeout: float,
        environment: Mapping[str, str],
        templates: Collection[str] = (),
        cancel: Callable[[], bool] = _never,
    ) -> None:
        self._source = source
        self._state = state.resolve()
        self._private_key = private_key.expanduser().resolve()
        self._timeout = timeout
        self._environment = environment
        self._templates = templates
        self._cancel = cancel

    def run(self, cluster: str, playbook: Playbook, progress: Progress) -> None:
        """Run a playbook to its end.

        Raises Transient for a host that can't be reached, an interrupt, a timeout or another reconciler at work;
        Permanent for a task that failed, naming host, task and message; Invalid for a missing playbook or key; and
        what the source raises when the playbooks can't be had.
        """
        self._check_key()
        installed = self._source.ensure(progress)
        installed.entry_point(playbook.name)
        folder = self._folder(cluster)
        folder.make()
        ours, theirs = folder.root / "reconciler.lock", folder.root / "playbook.lock"
        api = playbook.api or api_of(playbook.inventory)
        with (
            turn(cluster, ours, theirs),
            folder.fetching() as drop,
            folder.variables({**playbook.variables, **_kubeconfig_variables(drop, bool(api))}),
            progress.task(playbook.name) as task,
            control_sockets(folder.root) as ssh,
            login_file.given(playbook.login, folder.root) as entry,
        ):
            events, started = Events(task, _hosts(playbook)), time.monotonic()
            if expected := folder.expected(playbook.name):
                task.total(expected)
            inventory = through_bastion(playbook.inventory, self._private_key, folder.known_hosts)
            folder.take(inventory, self._templates)
            play = partial(self._play, folder, installed, sockets=ssh, lock=theirs, entry=entry)
            status, log = play(playbook, events)
            lost = {f.host for f in events.failures() if f.unreachable}
            rest = tuple(host for host in playbook.limit if host not in lost)
            if status == "failed" and lost & set(playbook.limit) and rest:
                # Kubespray ends a play for all when one host is lost: those that answer are joined all the same
                progress.log(f"{playbook.name}: lost {', '.join(sorted(lost))}; going on with {', '.join(rest)}")
                play(replace(playbook, limit=rest), Events(task, len(rest)))
            refusal = _refusal(folder, drop, api)
        if status != "successful":
            if refusal:
                progress.log(refusal.message)
            failures = explained(events.failures(), playbook.inventory, self._private_key, folder.known_hosts)
            otherwise = partial(_otherwise, playbook.inventory, folder)
            raise failure.error(playbook.name, status, self._timeout, failures, log, otherwise)
        if refusal:
            raise refusal
        folder.remember(playbook.name, events.results)
        progress.log(f"{playbook.name}: {events.recap()} in {time.monotonic() - started:.0f} s")

    def kubeconfig(self, cluster: str) -> Path:
        """Where the cluster's kubeconfig lies once a playbook fetched it (it may not exist yet)."""
        return self._folder(cluster).kubeconfig

    def login(
        self, cluster: str, inventory: Mapping[str, object], machine: str, command: Sequence[str]
    ) -> list[str] | None:
        """The command line by which a person logs in to a machine of the inventory, or runs a command there; None for
        a machine that is not in it. Raises Invalid for a missing key."""
        self._check_key()
        folder = self._folder(cluster)
        folder.make()  # ssh pins a host's key at first contact
        return command_line(inventory, machine, self._private_key, folder.known_hosts, command)

    def ask(
        self, cluster: str, inventory: Mapping[str, object], machine: str, script: str, *, seconds: float = 20
    ) -> str:
        """What a shell script of root's prints on a machine of the inventory; raises as the port says."""
        return ask(self._line(cluster, inventory, machine), script, seconds)

    def receive(
        self,
        cluster: str,
        inventory: Mapping[str, object],
        machine: str,
        script: str,
        take: Callable[[IO[bytes]], None],
        *,
        seconds: float,
    ) -> None:
        """Hand what a shell script of root's prints to `take`; raises as the port says."""
        receive(self._line(cluster, inventory, machine), script, take, seconds)

    def send(
        self,
        cluster: str,
        inventory: Mapping[str, object],
        machine: str,
        script: str,
        give: Callable[[IO[bytes]], None],
        *,
        seconds: float,
    ) -> None:
        """Run a shell script of root's whose stdin `give` writes; raises as the port says."""
        send(self._line(cluster, inventory, machine), script, give, seconds)

    def _line(self, cluster: str, inventory: Mapping[str, object], machine: str) -> Line:
        self._check_key()
        folder = self._folder(cluster)
        folder.make()  # ssh pins a host's key at first contact
        login = question(inventory, machine, self._private_key, folder.known_hosts)
        if login is None:
            raise Permanent(f"{machine} has no server in the cloud", hint=f"reconciler plan {cluster} says more")
        return Line(machine, login, partial(_otherwise, inventory, folder))

    def versions(self) -> frozenset[str]:
        """The Kubernetes versions that this Kubespray installs; empty where it does not say, or is not here yet."""
        folder = self._source.here()
        return offered(folder) if folder else frozenset()

    def forget(self, cluster: str, addresses: Collection[str]) -> None:
        """Drop what is known of the machines at these addresses, their SSH host keys and facts: for servers that were
        replaced. Whoever answers there next is trusted at first contact."""
        self._folder(cluster).forget(addresses)

    def host_keys(self, cluster: str, places: Collection[Place]) -> Mapping[Place, Vouched]:
        """The host keys that are insisted on at these places, and who vouched for them."""
        return known_hosts.read(self._folder(cluster).known_hosts, places)

    def pin(self, cluster: str, keys: Mapping[Place, Vouched]) -> None:
        """From now on insist on these host keys at these places."""
        folder = self._folder(cluster)
        folder.make()
        known_hosts.pin(folder.known_hosts, keys)

    def without_facts(self, cluster: str, hosts: Collection[str]) -> tuple[str, ...]:
        """Those of the hosts whose facts have to be gathered before a run that is limited to others."""
        return self._folder(cluster).lacking(hosts)

    def _folder(self, cluster: str) -> Folder:
        return Folder(self._state / cluster / "kubespray")

    def _check_key(self) -> None:
        if not self._private_key.is_file():
            raise Invalid(f"there is no private key {self._private_key}", hint="say in the settings where the key lies")
        if self._private_key.stat().st_mode & 0o077:
            raise Invalid(f"others may read the private key {self._private_key}", hint=f"chmod 600 {self._private_key}")

    def _play(
        self,
        folder: Folder,
        installed: Installed,
        playbook: Playbook,
        events: Events,
        *,
        sockets: Path,
        lock: Path,
        entry: Mapping[str, str],
    ) -> tuple[str, Path]:
        """Run ansible-playbook; return ansible-runner's status and where the log is. `entry` are the variables of a
        login."""
        from ansible_runner.exceptions import AnsibleRunnerException
        from ansible_runner.interface import init_runner

        interrupt.check_certain()
        run = f"{playbook.name}-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:6]}"
        try:
            runner = init_runner(
                private_data_dir=str(folder.root),
                project_dir=str(installed.folder),
                playbook=installed.entry_point(playbook.name),
                inventory=str(folder.inventory),
                limit=",".join(playbook.limit) or None,
                ident=run,
                rotate_artifacts=_KEPT_RUNS,
                timeout=max(1, round(self._timeout)),
                settings={"pexpect_timeout": _CANCEL_SECONDS},
                suppress_env_files=True,
                quiet=True,
                event_handler=events,
                cancel_callback=self._cancel,
            )
            config: Any = runner.config
            # ansible-runner would pass on our whole environment, and write it down beside the log
            given = {**self._environment, **entry}
            config.env = environment(installed, folder, self._private_key, sockets, config.env, given)
            config.command = [sys.executable, hangup.__file__, str(lock), *config.command]
            with folder.without_record(run):
                status, _ = runner.run()
        except AnsibleRunnerException as error:
            raise Permanent(f"ansible-runner could not run {playbook.name}: {error}") from None
        return str(status), folder.log(run)


def _otherwise(inventory: Mapping[str, Any], folder: Folder, host: str, words: str) -> str:
    """What a machine with another host key contradicts, and what to do: a hint. By ssh's `words` it may be the bastion
    on the way there."""
    everything = inventory.get("all") or {}
    bastions = ((everything.get("children") or {}).get("bastion") or {}).get("hosts") or {}
    bastion = known_hosts.changed(words, {name: _place(name, at) for name, at in bastions.items()})
    at = {**(everything.get("hosts") or {}), **bastions}.get(bastion or host) or {}
    contradicted = known_hosts.otherwise(folder.known_hosts, _place(host, at))
    return f"it is {bastion}, on the way there: {contradicted}" if bastion else contradicted


def _place(host: str, variables: Mapping[str, Any]) -> Place:
    return str(variables.get("ansible_host", host)), int(variables.get("ansible_port", 22))


def _hosts(playbook: Playbook) -> int:
    """How many hosts a run is about."""
    everything: Mapping[str, Any] = playbook.inventory.get("all") or {}  # type: ignore[assignment]
    hosts = set(everything.get("hosts") or ())
    return len(hosts & set(playbook.limit) or hosts)


def _refusal(folder: Folder, drop: Path, api: str) -> Permanent | None:
    """Keep the kubeconfig that was fetched; return why not. A playbook that failed is the worse news of the two."""
    try:
        folder.admit(drop, api)
    except Permanent as error:
        return error
    return None


def _kubeconfig_variables(drop: Path, fetch: bool) -> dict[str, object]:
    """Kubespray's own settings for fetching the kubeconfig. Nothing else of a machine comes to this one."""
    return {
        "artifacts_dir": str(drop),
        "kubeconfig_localhost": fetch,
        "kubeconfig_localhost_ansible_host": True,
    }
