"""What a saved plan would do, and whether it may: read from Terraform's own JSON, never from its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import Blocked
from .documents import Doing, PlanDocument, Planned

_DOING = frozenset({"create", "update", "delete"})
_SERVER = "openstack_compute_instance_v2"
# A tie between two resources that are judged themselves; losing it alone loses nothing.
_TIES = frozenset({"openstack_networking_floatingip_associate_v2"})


@dataclass(frozen=True, slots=True)
class Plan:
    """`creates` are addresses made from nothing; `destroys` maps addresses that lose what they have to why;
    `operations` counts the single creations, updates and deletions."""

    changes: bool
    creates: frozenset[str]
    destroys: Mapping[str, str]
    operations: int

    @classmethod
    def of(cls, shown: PlanDocument, *, changes: bool) -> Plan:
        """Read `show -json` of a saved plan; `changes` says whether `plan` reported any."""
        managed = [c for c in shown.get("resource_changes") or () if c["mode"] == "managed"]
        return cls(
            changes=changes,
            creates=frozenset(c["address"] for c in managed if c["change"]["actions"] == ["create"]),
            destroys={c["address"]: why for c in managed if (why := _destroys(c))},
            operations=sum(len(_DOING.intersection(c["change"]["actions"])) for c in managed),
        )

    def check(self, may_destroy: frozenset[str]) -> None:
        """Raises Blocked when something would be lost that is not in `may_destroy`."""
        refused = [f"{address} ({why})" for address, why in sorted(self.destroys.items()) if address not in may_destroy]
        if refused:
            raise Blocked(
                f"Terraform's plan would destroy what nobody approved: {', '.join(refused)}; nothing was changed",
                hint="Look for what changed there since the plan was shown; plan again, and approve it if it is meant.",
            )


def _destroys(change: Planned) -> str:
    """Say why a change loses something; empty where it doesn't."""
    what = change["change"]
    # Tainted is what a run that was cut off left half-made: there is nothing in it to lose.
    if change["type"] in _TIES or change.get("action_reason") == "replace_because_tainted":
        return ""
    if "delete" in what["actions"]:
        fields = sorted({str(path[0]) for path in what.get("replace_paths") or () if path})
        if "create" in what["actions"]:
            return f"replaced because of {', '.join(fields)}" if fields else "replaced"
        return "deleted"
    if "update" in what["actions"] and change["type"] == _SERVER and _rebuilds(what):
        return "rebuilt with another image, which empties its root disk"
    return ""


def _rebuilds(what: Doing) -> bool:
    """The provider calls another image an update in place, and rebuilds."""
    before, after = what.get("before") or {}, what.get("after") or {}
    return any(before.get(field) != after.get(field, before.get(field)) for field in ("image_id", "image_name"))
