"""What the fleet's policy allows each cluster's folder: read from desired/fleet.yaml, and looked up by kind of
thing and name.

Nothing written allows everything. Once something is, what no entry names is refused; and a policy that can't be read
allows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ...model.desired import EVERYTHING, Fleet, Tenant
from ..load import FLEET
from ..sealed import is_kept
from ..validate import validate
from ..yaml import Document, Unreadable, parse
from .patterns import matches_name, matches_pair, matches_path

Thing: TypeAlias = Literal[
    "charts",
    "clouds",
    "cluster_scoped",
    "existing",
    "hosts",
    "namespaces",
    "outputs",
    "paths",
    "secrets",
    "targets",
    "variables",
]
_MATCHES: Mapping[Thing, Callable[[str, str], bool]] = {
    **dict.fromkeys(("paths", "secrets", "charts"), matches_path),
    **dict.fromkeys(("targets", "cluster_scoped"), matches_pair),
}
_SHOWN = 5  # patterns that a hint shows


@dataclass(frozen=True)
class Entry:
    """One entry of the policy, and its file:line."""

    tenant: Tenant
    place: str


@dataclass(frozen=True)
class Permits:
    """What one cluster's folder may use: the `entries` that name it. `place` is where the policy stands."""

    cluster: str
    entries: tuple[Entry, ...]
    place: str

    def allows(self, thing: Thing, name: str) -> bool:
        """May it use what is called so? An empty name, which stands for what has none, only "*" allows."""
        matches = _MATCHES.get(thing, matches_name)
        patterns = [pattern for entry in self.entries for pattern in _patterns(entry, thing)]
        return EVERYTHING in patterns or (bool(name) and any(matches(pattern, name) for pattern in patterns))

    def hint(self, thing: Thing) -> str:
        """Which entries count, what they allow, and who can change that."""
        word = str(Tenant.model_fields[thing].alias)
        who = f"{FLEET} is a platform administrator's to change"
        if not self.entries:
            return f"no entry of spec.policy.tenants ({self.place}) names the cluster {self.cluster!r}; {who}"
        allowed = list(dict.fromkeys(pattern for entry in self.entries for pattern in _patterns(entry, thing)))
        shown = ", ".join(allowed[:_SHOWN]) + (", …" if len(allowed) > _SHOWN else "")
        return f"{word} that {', '.join(entry.place for entry in self.entries)} allows: {shown or 'none'}; {who}"


@dataclass(frozen=True)
class Tenancy:
    """A policy that is written, entry by entry."""

    entries: tuple[Entry, ...] = ()
    place: str = f"{FLEET}:1"

    def of(self, cluster: str) -> Permits:
        """What the folder of `cluster` may use."""
        named = (e for e in self.entries if any(matches_name(pattern, cluster) for pattern in e.tenant.clusters))
        return Permits(cluster, tuple(named), self.place)


def read(fleet: bytes | None) -> Tenancy | None:
    """The policy in the text of desired/fleet.yaml; None where none is written. One with mistakes, which are reported
    where clusters are loaded, allows nothing."""
    if fleet is None:
        return None
    try:
        documents = parse(FLEET, fleet)
    except Unreadable:
        return Tenancy()
    written = [(document, validate(Fleet, document)[0]) for document in documents]
    if len(written) == 1 and (made := written[0][1]) is not None:
        return _of(written[0][0], made) if made.spec.policy.limits_tenants else None
    return Tenancy()


def opener(
    raw: Mapping[str, bytes], clusters: Collection[str], decrypt: Callable[[str, bytes], bytes]
) -> Callable[[str, bytes], bytes]:
    """Opens a file of `raw`, given its path and its text, as `decrypt` does. One that SOPS keeps and that none of
    `clusters` may use stays as git has it: no key is tried on it. Raises as `decrypt`."""
    policy = read(decrypt(FLEET, raw[FLEET]) if FLEET in raw else None)
    if policy is None:
        return decrypt
    permits = [policy.of(cluster) for cluster in clusters]

    def opened(path: str, text: bytes) -> bytes:
        allowed = path == FLEET or any(permit.allows("secrets", path) for permit in permits)
        return decrypt(path, text) if allowed or not is_kept(path, text) else text

    return opened


def _of(document: Document, fleet: Fleet) -> Tenancy:
    def place(*path: int) -> str:
        at = document.problem(("spec", "policy", "tenants", *path), "")
        return f"{at.file}:{at.line}"

    entries = (Entry(tenant, place(number)) for number, tenant in enumerate(fleet.spec.policy.tenants))
    return Tenancy(tuple(entries), place())


def _patterns(entry: Entry, thing: Thing) -> tuple[str, ...]:
    patterns: tuple[str, ...] = getattr(entry.tenant, thing)
    return patterns
