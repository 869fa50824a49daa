"""Objects as their server places them: git can't know of every kind whether it has namespaces, and one object must be
compared, applied and pruned under one name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import Invalid
from ..model.resource import Key, Resource
from ..ports import Manifest, goes_when_done
from ..spec.render import objects


@dataclass(frozen=True)
class Served:
    """What a comparison expects, and the manifests, under the same keys. `moved` has those that git calls otherwise, by
    the key they have in git."""

    expected: tuple[Resource, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    moved: Mapping[Key, Key] = field(default_factory=dict)


def served(expected: Sequence[Resource], manifests: Sequence[Manifest], waves: Mapping[Key, int]) -> Served:
    """Bring together what a server made of `manifests` and what they are in git. Each object remembers which manifest
    it came from, so that a change in git is told from one outside it; and its wave, so that it is known still when git
    no longer names it.

    Raises Invalid for what git has in two namespaces, and the server in none.
    """
    found: list[Resource] = []
    placed = {objects.key(m): m for m in manifests}
    moved: dict[Key, Key] = {}
    taken: dict[Key, Key] = {}
    for resource, named in _matched(expected, manifests):
        if named is None:
            found.append(resource)
            continue
        m, key = placed[named], Key(resource.kind, resource.name)
        if taken.setdefault(key, named) != named:
            raise _twice(key, taken[key], named)
        found.append(_remembering(resource, m, waves.get(named, 0)))
        if key != named:
            placed[named], moved[named] = _at(m, key), key
    return Served(tuple(found), tuple(placed.values()), moved)


def _matched(expected: Sequence[Resource], manifests: Sequence[Manifest]) -> Iterator[tuple[Resource, Key | None]]:
    """Each expected object with its key in git: the same; or, of a kind that has no namespaces, one in a namespace; or,
    of a kind that has, one in none, which is in `default`. None for what no manifest asks for."""
    known = {objects.key(m) for m in manifests}
    left: dict[Key, list[Key]] = {}
    for key in sorted(known - {Key(r.kind, r.name) for r in expected}):
        left.setdefault(Key(key.kind, key.name.rpartition("/")[2]), []).append(key)
    for resource in expected:
        named = Key(resource.kind, resource.name)
        others = left.get(Key(named.kind, named.name.removeprefix("default/")))
        yield resource, named if named in known else others.pop(0) if others else None


def _remembering(resource: Resource, m: Manifest, wave: int) -> Resource:
    kind = f"{m['apiVersion']}/{resource.kind}"
    return replace(resource, digest=digest(m), type=kind, wave=wave, fleeting=goes_when_done(m))


def _at(m: Manifest, key: Key) -> Manifest:
    """The manifest where the server has the object."""
    metadata = {name: value for name, value in m["metadata"].items() if name != "namespace"}
    namespace = key.name.rpartition("/")[0]
    return {**m, "metadata": {**metadata, "namespace": namespace} if namespace else metadata}


def _twice(key: Key, one: Key, other: Key) -> Invalid:
    return Invalid(
        f"{key} is in git twice, as {one.name} and as {other.name}: on the server it is one object",
        hint="leave it in one workload, and without a namespace where its kind has none",
    )


def digest(manifest: Manifest) -> str:
    """Names a manifest's content, whatever the order of its keys. What a Secret holds stays out: the name is published,
    and a short secret could be guessed from it."""
    if manifest.get("kind") == "Secret":
        manifest = {k: sorted(v) if k in ("data", "stringData") and v else v for k, v in manifest.items()}
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, default=str).encode()).hexdigest()[:16]
