"""What Ansible needs of one cluster and leaves behind, in one private folder that outlives the runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ... import files
from ...spec.kubeconfig import rebuilt
from . import facts, fetched, known_hosts
from .unsafe import inventory_text, loaded, variables_text


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

    @contextmanager
    def fetching(self) -> Iterator[Path]:
        """An empty folder for what a playbook fetches. Nothing in it outlives the block."""
        folder = self.root / "fetched"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def admit(self, folder: Path, api: str) -> None:
        """Keep what the kubeconfig in `folder`, if one was fetched, is rebuilt to. It names `api`: Kubespray writes
        what a node would use, and what a machine says of itself does not count. Raises Permanent for one that is
        refused; then the one before stays."""
        text = fetched.content(folder)
        if text is not None:
            files.write(self.kubeconfig, rebuilt(f"{fetched.NAME} of {self.root.parent.name}", text, api))

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

    def take(self, inventory: Mapping[str, object], templates: Collection[str] = ()) -> None:
        """Write the inventory, in its order, if it differs from the one that is there. Only variables called as in
        `templates` may be templates."""
        text = inventory_text(inventory, templates)
        if not self.inventory.exists() or self.inventory.read_text() != text:
            files.write(self.inventory, text)

    @contextmanager
    def variables(self, values: Mapping[str, object]) -> Iterator[None]:
        """Let Ansible read `values` from a file while the block runs: whoever lists processes sees its arguments."""
        path = self.root / "env" / "extravars"  # the name ansible-runner looks for
        path.parent.mkdir(mode=0o700, exist_ok=True)
        files.write(path, variables_text(values))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def forget(self, addresses: Collection[str]) -> None:
        """Drop host keys and facts of the machines at these addresses: others have taken their place."""
        known_hosts.forget(self.known_hosts, addresses)
        for host in self._hosts_at(addresses):
            (self.facts / host).unlink(missing_ok=True)

    def lacking(self, hosts: Collection[str]) -> tuple[str, ...]:
        """Those of the hosts whose facts no limited run could take from the cache."""
        return tuple(host for host in hosts if not facts.usable(self.facts / host))

    def expected(self, playbook: str) -> int | None:
        """How many results the playbook had when it last ran to its end."""
        return self._counts().get(playbook)

    def remember(self, playbook: str, results: int) -> None:
        files.write(self.root / "results.json", json.dumps({**self._counts(), playbook: results}, sort_keys=True))

    def _counts(self) -> dict[str, int]:
        try:
            return dict(json.loads((self.root / "results.json").read_text()))
        except (OSError, ValueError, TypeError):  # it only feeds a progress bar
            return {}

    def _hosts_at(self, addresses: Collection[str]) -> Iterator[str]:
        if not self.inventory.exists():
            return
        inventory = loaded(self.inventory.read_text()) or {}
        for host, variables in ((inventory.get("all") or {}).get("hosts") or {}).items():
            if {(variables or {}).get(name) for name in ("ansible_host", "ip", "access_ip")} & set(addresses):
                yield str(host)
