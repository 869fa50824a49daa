"""Which kubeconfig counts as it is, and which only as it was rebuilt: where it lies says who wrote it."""

from __future__ import annotations

from pathlib import Path

from .. import files
from ..errors import Permanent
from ..ports import Gate
from ..spec import kubeconfig as spec


def by_place(state: Path) -> Gate:
    """The gate of a machine whose state is below `state`. What lies there was fetched from a machine of a cluster, also
    by an older version, and is rebuilt each time it is read. Every other kubeconfig was put or named by somebody of
    this machine, and may use all a kubeconfig can have (`exec` for OIDC, files)."""

    def gate(place: Path, content: bytes) -> str | None:
        # both ways: a link into the state is a fetched file, and so is a link in the state to anywhere
        roots, paths = (state.absolute(), state.resolve()), (place.absolute(), place.resolve())
        fetched = any(path.is_relative_to(root) for path in paths for root in roots)
        return spec.rebuilt(str(place), content) if fetched else None

    return gate


def for_program(place: Path, gate: Gate) -> Path:
    """The kubeconfig for a program that reads it by itself: one that another machine wrote is replaced by what it is
    rebuilt to. Raises Permanent for one that is refused, Transient when it can't be written."""
    try:
        content = place.read_bytes()
    except OSError as error:
        hint = "it appears once the cluster is made; for one of your own, give its path in the settings"
        raise Permanent(f"cannot read the kubeconfig {place}: {error.strerror}", hint=hint) from None
    rebuilt = gate(place, content)
    if rebuilt is not None and rebuilt.encode() != content:
        files.write(place, rebuilt)
    return place
