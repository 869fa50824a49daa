"""What lies in a workspace's folder: the module's files, our own, and the state if it is kept here; private to us."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import Permanent
from ...ports import Backend, Ids, Workspace
from . import documents

PLAN = "plan.bin"
BACKUP = "terraform.tfstate.backup"
_STATE = "terraform.tfstate"
_ASIDE = "terraform.tfstate.moving"
_BROKEN = "terraform.tfstate.broken"
_VARIABLES = "reconciler.auto.tfvars.json"
_IMPORTS = "imports.tf.json"
_CALM = "imports_override.tf.json"  # Terraform merges what is called so into the module's own resources
_DATA = ".terraform"
_READY = f"{_DATA}/reconciler-init"
_BACKEND = "reconciler-backend.tf.json"
_NOTE = "state-kept.json"  # where the state was when it was last used from here
_IDS = "ids.json"  # what a state that can't be read without a program held then
_SEALED = "encrypted_data"
# The provider takes the first one it finds for more of a cloud's login, whatever it was given: this one says nothing.
_SECURE = "secure.yaml"
_CONFIGURATION = ("*.tf", "*.tf.json", "*.tofu", "*.tofu.json")


def write(workspace: Workspace) -> None:
    """Make the folder hold exactly the module at its commit and its variables; files that are right stay untouched."""
    root = workspace.directory
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    root.chmod(0o700)
    files = {path: content for path, content in workspace.module.items() if not Path(path).name.startswith(_STATE)}
    kept = {*files, _BACKEND}
    for pattern in _CONFIGURATION:
        for found in root.rglob(pattern):
            path = found.relative_to(root)
            if path.parts[0] != _DATA and str(path) not in kept:
                found.unlink()
    for name, content in files.items():
        _write(root / name, content)
    _write(root / _VARIABLES, _json(workspace.variables))
    if workspace.login:
        _write(root / _SECURE, _json({"clouds": {}}))


def write_imports(root: Path, live: Mapping[str, str], *, only: bool = False) -> None:
    """Ask for `live` (address → id) to be taken into the state; `only`: and for no other change of these resources."""
    blocks = [{"to": address, "id": id} for address, id in sorted(live.items())]
    _write(root / _IMPORTS, _json({"import": blocks}))
    if only:
        calm: dict[str, dict[str, object]] = {}
        for type_, name in sorted({tuple(address.partition("[")[0].split(".")) for address in live}):
            calm.setdefault(type_, {})[name] = {"lifecycle": {"ignore_changes": "all"}}
        _write(root / _CALM, _json({"resource": calm}))


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


def read(root: Path) -> dict[str, Any]:
    """Return the state that lies in the folder, in clear; empty where there is none."""
    found = _readable(root / _STATE) or {}
    return found if "resources" in found else {}


def encrypted(root: Path) -> bool:
    """Tell whether the state in the folder is encrypted."""
    return _SEALED in (_readable(root / _STATE) or {})


def has_state(root: Path) -> bool:
    return (root / _STATE).exists()


@contextlib.contextmanager
def local_aside(root: Path) -> Iterator[None]:
    """Let Terraform see no state in the folder while it is told of another place: it would ask what to do with it."""
    state, aside = root / _STATE, root / _ASIDE
    if state.exists():
        state.replace(aside)
    try:
        yield
    except BaseException:
        put_back(root)
        raise


def put_back(root: Path) -> None:
    """What was set aside by a run that came to nothing, or was killed, is the state still."""
    if (root / _ASIDE).exists() and not (root / _STATE).exists():
        (root / _ASIDE).replace(root / _STATE)


def drop_local(root: Path, *, keep_state: bool) -> None:
    """The state is elsewhere now, or another one: leave nothing of it behind that was in clear."""
    for path in root.glob(f"{_STATE}*"):
        if path.is_file() and not (keep_state and path.name == _STATE) and _SEALED not in (_readable(path) or {}):
            path.unlink()


def write_backend(root: Path, backend: Backend | None) -> None:
    """Tell Terraform where the state is kept."""
    if backend is None:
        (root / _BACKEND).unlink(missing_ok=True)
        (root / _DATA / _STATE).unlink(missing_ok=True)  # the backend it was told of last: it would not let go of it
    else:
        _write(root / _BACKEND, _json({"terraform": {"backend": {backend.kind: dict(backend.config)}}}))


def note(root: Path) -> dict[str, Any] | None:
    """What was written down of where the state is; None for nothing, or nothing that can be read."""
    return _mapping(root / _NOTE)


def write_note(root: Path, said: Mapping[str, Any]) -> None:
    _write(root / _NOTE, _json(said))


def addresses(state: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses of all resource instances in a state."""
    return frozenset(address for address, _ in _instances(state))


def tainted(state: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses of what a run that was cut off left half-made, as far as Terraform could tell."""
    return frozenset(address for address, instance in _instances(state) if instance.get("status") == "tainted")


def ids(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the id of every sound instance by its address, as an import would be given it."""
    sound = ((a, i) for a, i in _instances(state) if i.get("status") != "tainted")
    return {address: _id(address, instance.get("attributes") or {}) for address, instance in sound}


def remember(root: Path, state: Mapping[str, Any]) -> None:
    """Write down the ids of a state that can't be read without a program, and nothing else of it."""
    _write(root / _IDS, _json(ids(state)))


def known(root: Path) -> Ids | None:
    """Return the ids of the state as this machine last saw it; None where it never saw one. Starts no program."""
    said = note(root) or {}
    if said.get("backend") or said.get("encrypted"):
        found = _mapping(root / _IDS)
        return Ids(found, shared=bool(said.get("backend"))) if found is not None else None
    return Ids(ids(read(root))) if has_state(root) else None


def _id(address: str, attributes: Mapping[str, Any]) -> str:
    """A load balancer's member is known within its pool only."""
    pool = f"{attributes.get('pool_id')}/" if address.startswith("openstack_lb_member_v2.") else ""
    return f"{pool}{attributes.get('id') or ''}"


def _instances(state: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in state.get("resources") or ():
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


def with_backend(wanted: str, backend: Backend | None) -> str:
    """The same, and where the state is kept: `init` is told of both."""
    said = json.dumps([backend.kind, dict(backend.config)], sort_keys=True) if backend else ""
    return hashlib.sha256(f"{wanted}{said}".encode()).hexdigest() if said else wanted


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
    """Return a state file's content, encrypted or not; None where it is missing, empty or torn."""
    content = _mapping(path)
    if content is None or not ("resources" in content or _SEALED in content):
        return None
    try:
        return documents.state(content, str(path))
    except Permanent:
        return None


def _mapping(path: Path) -> dict[str, Any] | None:
    try:
        content = documents.decoded(path.read_bytes())
    except FileNotFoundError:
        return None
    return content if isinstance(content, dict) else None


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
