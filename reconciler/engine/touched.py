"""Which clusters a change in git concerns: a push to one must not start two hundred cycles."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

_DESIRED = "desired/"
_MANIFESTS = "manifests/"
_OPENSHIFT = "terraform/openshift-app/"
# What is said there holds for every cluster.
_EVERYBODY = ("desired/fleet.yaml", "terraform/", "kubespray/")


@dataclass(frozen=True, slots=True)
class Uses:
    """What a cluster takes from outside its own folder: `folders` below manifests/ as they are; with `kustomized` it
    may reach any of them; with `applications` the OpenShift module too."""

    folders: frozenset[str]
    kustomized: bool = False
    applications: bool = False


def touched(paths: Collection[str], uses: Mapping[str, Uses | None]) -> frozenset[str]:
    """The clusters among `uses` that a change of these files may concern. None: nobody knows yet what it uses, so any
    change may."""
    return frozenset(name for name, used in uses.items() if any(_concerns(path, name, used) for path in paths))


def _concerns(path: str, cluster: str, used: Uses | None) -> bool:
    if path.startswith(f"{_DESIRED}{cluster}/"):
        return True
    if path.startswith(_OPENSHIFT):
        return used is None or used.applications
    if path.startswith(_EVERYBODY):
        return True
    if not path.startswith(_MANIFESTS):
        return False
    return used is None or used.kustomized or any(path.startswith(f"{f.rstrip('/')}/") for f in used.folders)
