"""Where what a cluster's folder names goes beyond the policy: known before anything is decrypted, built or fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...errors import Problem
from ..load import DesiredCluster
from .patterns import matches_name
from .policy import Permits, Tenancy
from .uses import Use, uses


def named(policy: Tenancy | None, desired: DesiredCluster, raw: Mapping[str, bytes]) -> list[Problem]:
    """Everything that the cluster's folder names and may not use, each at its line. `raw` are the files as git has
    them."""
    if policy is None:
        return []
    permits = policy.of(desired.name)
    refused = [use for use in uses(desired, raw) if not permits.allows(use.thing, use.name)]
    first = {(use.thing, *_place(use)): use for use in reversed(refused)}  # a folder of files is one mistake
    return [
        _placed(permits, use).problem(desired, _message(permits, use, refused), permits.hint(use.thing))
        for use in reversed(first.values())
    ]


def refusal(cluster: str, title: str) -> str:
    """The message about anything that goes beyond the policy."""
    return f"{cluster} may not use {title}"


def _message(permits: Permits, use: Use, refused: list[Use]) -> str:
    more = len({other.name for other in refused if (other.thing, *_place(other)) == (use.thing, *_place(use))}) - 1
    return refusal(permits.cluster, use.title) + (f", and {more} more" if more else "")


def _place(use: Use) -> tuple[object, ...]:
    return use.kind, use.object, use.path, use.by


def _placed(permits: Permits, use: Use) -> Use:
    """Of an OpenShift and its namespace, the one that is wrong."""
    if use.thing != "targets":
        return use
    target = use.name.rpartition("/")[0]
    patterns = (pattern.rpartition("/")[0] for entry in permits.entries for pattern in entry.tenant.targets)
    known = any(matches_name(pattern, target) for pattern in patterns)
    return replace(use, path=("spec", "namespace")) if known else use
