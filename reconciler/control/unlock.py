"""A lock that a killed run left on Terraform's state, and how it is taken away."""

from __future__ import annotations

from ..errors import Permanent
from ..ports import Workspace
from ..spec.load import DesiredCluster
from ..spec.render.state import backend
from ..spec.tree import below
from .cycle import Cycle

_MODULES = {"infrastructure": "openstack-cluster"}


def unlock(cycle: Cycle, lock: str) -> str:
    """Take the lock `lock` off whichever of the cluster's states has it, while nobody else applies the cluster. Returns
    the state's name. Raises Permanent, with what each state said, when none has it; what Cycle.exclusive raises."""
    tools, desired = cycle.tools, cycle.desired
    said: list[str] = []
    with cycle.exclusive():
        for name in workspaces(desired):
            folder = f"terraform/{_MODULES.get(name, 'openshift-app')}/"
            files = {path.removeprefix(folder): text for path, text in below(cycle.files, folder).items()}
            kept, place = backend(desired.state, desired.name, name), tools.workspace(desired.name, name)
            workspace = Workspace(place, files, {}, tools.environment, {}, frozenset(), backend=kept)
            try:
                tools.terraform().unlock(workspace, lock, tools.progress)
            except Permanent as error:
                said.append(f"{name}: {error.message}")
            else:
                return name
    raise Permanent(
        f"no state of cluster {desired.name!r} has the lock {lock} ({'; '.join(said)})",
        hint="the id is in the message of the run that could not get the lock",
    )


def workspaces(desired: DesiredCluster) -> tuple[str, ...]:
    """The names of a cluster's Terraform workspaces."""
    targets = dict.fromkeys(app.spec.target for app in desired.applications)
    return ("infrastructure", *(f"applications-{target}" for target in targets))
