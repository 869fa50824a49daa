"""What lies in a workspace's folder: the module's files and our own, private to us; the state is Terraform's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import Permanent
from ...ports import Workspace

PLAN = "plan.bin"
BACKUP = "terraform.tfstate.backup"
_STATE = "terraform.tfstate"
_BROKEN = "terraform.tfstate.broken"
_VARIABLES = "reconciler.auto.tfvars.json"
_IMPORTS = "imports.tf.json"
_CALM = "imports_override.tf.json"  # Terraform merges what is called so into the module's own resources
_DRAFT = "terraform.tfstate.told"
_DATA = ".terraform"
_READY = f"{_DATA}/reconciler-init"
_CONFIGURATION = ("*.tf", "*.tf.json", "*.tofu", "*.tofu.json")


def write(workspace: Workspace) -> None:
    """Make the folder hold exactly the module at its commit and its variables; files that are right stay untouched."""
    root = workspace.directory
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    root.chmod(0o700)
    files = {path: content for path, content in workspace.module.items() if not Path(path).name.startswith(_STATE)}
    for pattern in _CONFIGURATION:
        for found in root.rglob(pattern):
            path = found.relative_to(root)
            if path.parts[0] != _DATA and str(path) not in files:
                found.unlink()
    for name, content in files.items():
        _write(root / name, content)
    _write(root / _VARIABLES, _json(workspace.variables))


def write_imports(root: Path, live: Mapping[str, str], *, only: bool = False) -> None:
    """Ask for `live` (address → id) to be taken into the state; `only`: and for no other change of these resources."""
    blocks = [{"to": address, "id": id} for address, id in sorted(live.items())]
    _write(root / _IMPORTS, _json({"import": blocks}))
    if only:
        calm: dict[str, dict[str, object]] = {}
        for type_, name in sorted({tuple(address.partition("[")[0].split(".")) for address in live}):
            calm.setdefault(type_, {})[name] = {"lifecycle": {"ignore_changes": "all"}}
        _write(root / _CALM, _json({"resource": calm}))


@contextmanager
def draft(root: Path, state: Mapping[str, Any]) -> Iterator[Path]:
    """A state in a file, readable by us alone, for as long as the block runs."""
    file = root / _DRAFT
    try:
        _write(file, _json(state))
        yield file
    finally:
        file.unlink(missing_ok=True)


def tidy(root: Path) -> None:
    """Remove what one run needed, and close what Terraform left readable: plan and state hold variables in clear."""
    (root / PLAN).unlink(missing_ok=True)
    (root / _IMPORTS).unlink(missing_ok=True)
    (root / _CALM).unlink(missing_ok=True)
    for path in root.glob(f"{_STATE}*"):
        path.chmod(0o600)


def mend_state(root: Path) -> tuple[str, ...]:
    """Terraform rewrites its state in place, so a kill can tear it: then go back to the backup. With no backup the very
    first run was cut off, and all there is to know is live. Returns what was done, in words. Raises Permanent when
    the backup is torn too."""
    state, backup = root / _STATE, root / BACKUP
    if not state.exists() or _readable(state):
        return ()
    if backup.exists() and not _readable(backup):
        raise Permanent(
            f"neither {state} nor its backup can be read",
            hint=f"Move both away (into {root / 'broken'}, say) and run again: what is live is then imported.",
        )
    state.replace(root / _BROKEN)
    if not backup.exists():
        return (f"{_STATE} was torn (kept as {_BROKEN}); starting from what is live",)
    shutil.copy2(backup, state)
    return (f"{_STATE} was torn (kept as {_BROKEN}); going on from its backup",)


def addresses(root: Path) -> frozenset[str]:
    """Return the addresses of all resource instances in the state."""
    return frozenset(address for address, _ in _instances(root))


def tainted(root: Path) -> frozenset[str]:
    """Return the addresses of what a run that was cut off left half-made, as far as Terraform could tell."""
    return frozenset(address for address, instance in _instances(root) if instance.get("status") == "tainted")


def known(root: Path) -> dict[str, str] | None:
    """Return the id of every sound instance in the state by its address, as an import would be given it; None where
    there is no state at all. Starts no program."""
    if not (root / _STATE).exists():
        return None
    sound = ((a, i) for a, i in _instances(root) if i.get("status") != "tainted")
    return {address: _id(address, instance["attributes"]) for address, instance in sound}


def _id(address: str, attributes: Mapping[str, Any]) -> str:
    """A load balancer's member is known within its pool only."""
    pool = f"{attributes['pool_id']}/" if address.startswith("openstack_lb_member_v2.") else ""
    return f"{pool}{attributes.get('id', '')}"


def _instances(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in (_readable(root / _STATE) or {}).get("resources", ()):
        if resource["mode"] == "managed":
            for instance in resource["instances"]:
                yield address(resource, instance), instance


def providers_wanted(workspace: Workspace, binary: Path, cli_config: Path | None) -> str:
    """Name everything that decides which providers `init` would choose."""
    digest = hashlib.sha256(str(binary).encode())
    for _, content in sorted(workspace.module.items()):
        if b"required_providers" in content:
            digest.update(content)
    if cli_config:
        digest.update(cli_config.read_bytes())
    return digest.hexdigest()


def providers_ready(root: Path, wanted: str) -> bool:
    """Tell whether `init` ran for `wanted` and what it found is still there: it links into mirrors and caches."""
    ready = root / _READY
    if not ready.is_file() or ready.read_text() != wanted:
        return False
    return (root / ".terraform.lock.hcl").exists() and all(
        path.exists() for path in (root / _DATA / "providers").rglob("*")
    )


def mark_ready(root: Path, wanted: str) -> None:
    _write(root / _READY, wanted.encode())


def address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    """What Terraform calls an instance of its state."""
    module = f"{resource['module']}." if "module" in resource else ""
    key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return f"{module}{resource['type']}.{resource['name']}{key}"


def _readable(path: Path) -> dict[str, Any] | None:
    """Return a state file's content; None where it is missing, empty or torn."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) and "resources" in content else None


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
