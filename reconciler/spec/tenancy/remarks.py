"""What is no mistake and worth a word: that nothing limits who may use what, or that anybody could change what does."""

from __future__ import annotations

from collections.abc import Mapping

from .. import codeowners
from ..load import FLEET
from .policy import read

# Who may change these may have everything: the policy, and what runs with the credentials.
_GUARDED = (
    FLEET,
    ".github/workflows/reconcile.yaml",
    "kubespray/version.yaml",
    "terraform/openstack-cluster/servers.tf",
)
_HOW = '"Several teams in one repository" of the reconciler\'s docs/install.md says more'


def remarks(fleet: bytes | None, code_owners: Mapping[str, bytes]) -> list[str]:
    """Said by `validate`. `fleet` is the text of desired/fleet.yaml, `code_owners` are the files that forges read code
    owners from, by path; the first one counts."""
    if read(fleet) is None:
        return [f"{FLEET} has no spec.policy.tenants: every cluster's folder may use everything; {_HOW}"]
    if not code_owners:
        return [f"there is no CODEOWNERS: whoever may merge may change the policy in {FLEET}; {_HOW}"]
    place, text = next(iter(code_owners.items()))
    free = codeowners.unowned(text, (*_GUARDED, place))
    return [f"{place} gives {path} no owner: whoever may merge may change it; {_HOW}" for path in free]
