"""Fields that the provider sets and never reads back: after an import the state lacks them, and every plan would set
them again though they are as they should be."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .documents import PlanDocument
from .folder import address

# terraform-provider-openstack 1.54 to 3.x: an import fills all_tags and all_security_group_ids only.
_UNREAD = ("tags", "security_group_ids")


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a plan would change. `values` are the unread fields as desired; `more`: something else differs
    too."""

    address: str
    values: Mapping[str, Any]
    more: bool


def changes(shown: PlanDocument) -> tuple[Change, ...]:
    """Read `show -json` of a saved plan."""
    return tuple(_changes(shown))


def _changes(shown: PlanDocument) -> Iterator[Change]:
    for found in shown.get("resource_changes") or ():
        what = found["change"]
        if found["mode"] != "managed" or what["actions"] in (["no-op"], ["read"]):
            continue
        if what["actions"] != ["update"]:
            yield Change(found["address"], {}, True)
            continue
        before, after = what.get("before") or {}, what.get("after") or {}
        later = unknown if isinstance(unknown := what.get("after_unknown"), dict) else {}
        differ = {name for name in after if before.get(name) != after[name]}
        differ |= {name for name, open_ in later.items() if open_ is True and name != "all_tags"}
        values = {name: after[name] for name in _UNREAD if name in differ and after.get(name) is not None}
        more = differ - values.keys() - {"all_tags", "all_security_group_ids"}
        yield Change(found["address"], values, bool(more))


def told(state: Mapping[str, Any], known: Sequence[Change]) -> dict[str, Any]:
    """The state with these values, one serial later."""
    made: dict[str, Any] = copy.deepcopy(dict(state))
    by_address = {change.address: change.values for change in known}
    for resource in made["resources"]:
        for instance in resource["instances"]:
            instance["attributes"] |= by_address.get(address(resource, instance), {})
    made["serial"] += 1
    return made
