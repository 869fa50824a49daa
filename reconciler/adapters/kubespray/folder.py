"""What Ansible needs of one cluster and leaves behind, in one private folder that outlives the runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Folder:
    """`root` is the cluster's own; everything in it is for its owner's eyes only."""

    root: Path

    @property
    def inventory(self) -> Path:
        return self.root / "inventory" / "hosts.yaml"

    @property
    def facts(self) -> Path:
        """One cache for all runs: a playbook limited to new hosts reads the facts of the others from it."""
        return self.root / "facts"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials"

    @property
    def kubeconfig(self) -> Path:
        return self.credentials / "admin.conf"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def point(self, api: str | None) -> None:
        """Let the kubeconfig, for its owner's eyes only, name `api`: Kubespray writes what a node would use."""
        self.kubeconfig.chmod(0o600)
        if api is None:
            return
        said = yaml.safe_load(self.kubeconfig.read_text())
        for entry in said["clusters"]:
            entry["cluster"]["server"] = api
        write_private(self.kubeconfig, yaml.safe_dump(said, sort_keys=False))

    def log(self, run: str) -> Path:
        """Everything Ansible printed in a run."""
        return self.root / "artifacts" / run / "stdout"

    @contextmanager
    def without_record(self, run: str) -> Iterator[None]:
        """Remove ansible-runner's note of the command after the block: the whole environment is in it."""
        try:
            yield
        finally:
            (self.log(run).parent / "command").unlink(missing_ok=True)

    def make(self) -> None:
        """Make what is missing."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.inventory.parent, self.facts, self.credentials, self.temporary):
            folder.mkdir(mode=0o700, exist_ok=True)

    def take(self, inventory: Mapping[str, object]) -> None:
        """Write the inventory, in its order, if it differs from the one that is there."""
        text = yaml.dump(_plain(inventory), Dumper=_NoAliases, sort_keys=False)
        if not self.inventory.exists() or self.inventory.read_text() != text:
            write_private(self.inventory, text)

    @contextmanager
    def variables(self, values: Mapping[str, object]) -> Iterator[None]:
        """Let Ansible read `values` from a file while the block runs: whoever lists processes sees its arguments."""
        path = self.root / "env" / "extravars"  # the name ansible-runner looks for
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, yaml.safe_dump(_plain(values), sort_keys=True))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def forget(self, addresses: Collection[str]) -> None:
        """Drop host keys and facts of the machines at these addresses: others have taken their place."""
        if self.known_hosts.exists():
            lines = self.known_hosts.read_text().splitlines(keepends=True)
            kept = [line for line in lines if not _names(line) & set(addresses)]
            if kept != lines:
                write_private(self.known_hosts, "".join(kept))
        for host in self._hosts_at(addresses):
            (self.facts / host).unlink(missing_ok=True)

    def expected(self, playbook: str) -> int | None:
        """How many results the playbook had when it last ran to its end."""
        return self._counts().get(playbook)

    def remember(self, playbook: str, results: int) -> None:
        write_private(self.root / "results.json", json.dumps({**self._counts(), playbook: results}, sort_keys=True))

    def _counts(self) -> dict[str, int]:
        try:
            return dict(json.loads((self.root / "results.json").read_text()))
        except (OSError, ValueError, TypeError):  # it only feeds a progress bar
            return {}

    def _hosts_at(self, addresses: Collection[str]) -> Iterator[str]:
        if not self.inventory.exists():
            return
        inventory = yaml.safe_load(self.inventory.read_text()) or {}
        for host, variables in ((inventory.get("all") or {}).get("hosts") or {}).items():
            if {(variables or {}).get(name) for name in ("ansible_host", "ip", "access_ip")} & set(addresses):
                yield str(host)


class _NoAliases(yaml.SafeDumper):
    """Writes out what stands twice: people read this file."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _names(line: str) -> set[str]:
    """The hosts a line of known_hosts is about: `a,[b]:2222 ssh-ed25519 …` names a and b."""
    return {re.sub(r"^\[(.*)\]:\d+$", r"\1", name) for name in line.partition(" ")[0].split(",")}


def _plain(value: object) -> object:
    """The same in types YAML has a plain form for: dicts, lists, and strings that are not of an enumeration."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, str) else value
