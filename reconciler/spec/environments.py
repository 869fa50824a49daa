"""What is wrong with environments beside each other, and what is not wrong and worth a word: hosts, images, quotas."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..errors import Problem
from ..model.desired import Environment, pinned, quantity
from ..ports import Manifest
from .load import DesiredCluster
from .outline import Outline, first
from .render.environment import FOLDER, by_owner, namespace
from .render.workload import Placed
from .tree import below
from .yaml import Path

_DEFAULT_IMAGE = re.compile(rb'{%-? *set +\w+ *= *image +or +"([^"]+)"')


def check(clusters: Sequence[DesiredCluster], others: Sequence[Outline] = ()) -> list[Problem]:
    """Every host of these clusters that another environment or application claims first, in whichever cluster: a name
    leads to one place."""
    places = claimed(clusters, others)
    return [
        one.cluster.problem(
            one.kind,
            one.title,
            one.path,
            _taken(one.host, places[one.host]),
            f"every {one.kind.lower()} needs a host of its own",
        )
        for one in _claims(clusters)
        if one.place != places[one.host]
    ]


def claimed(clusters: Iterable[DesiredCluster], others: Sequence[Outline] = ()) -> dict[str, str]:
    """The hosts of environments and applications, and where each is claimed first."""
    return first([*((c.name, hosts(c)) for c in clusters), *((outline.name, outline.hosts) for outline in others)])


def hosts(cluster: DesiredCluster) -> tuple[tuple[str, str], ...]:
    """The hosts that a cluster claims, each with its place."""
    return tuple((claim.host, claim.place) for claim in _claims([cluster]))


def check_workloads(claims: Mapping[str, str], objects: Iterable[Placed]) -> list[Problem]:
    """Every Ingress or Route among the workloads' `objects` that has a host of the `claims`. Those of workloads may
    share one among each other: each may serve other paths of it."""
    hint = "give one of them another host"
    return [
        one.problem(path, _taken(host, claims[host]), hint)
        for one in objects
        for path, host in _hosts(one.object)
        if host in claims
    ]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A host, and where in which cluster's text somebody asks for it."""

    host: str
    cluster: DesiredCluster
    kind: str
    title: str
    path: Path

    @property
    def place(self) -> str:
        return self.cluster.place(self.kind, self.title, self.path)


def _claims(clusters: Iterable[DesiredCluster]) -> Iterator[_Claim]:
    for cluster in clusters:
        for app in cluster.applications:
            if app.spec.host:
                yield _Claim(app.spec.host, cluster, "Application", app.name, ("spec", "host"))
        for env in cluster.environments:
            if env.spec.access.host:
                yield _Claim(env.spec.access.host, cluster, "Environment", env.title, ("spec", "access", "host"))


def _hosts(manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """The hosts that lead to an Ingress or a Route, each with its place."""
    spec = _mapping(manifest, "spec")
    if manifest["kind"] == "Route" and isinstance(host := spec.get("host"), str):
        yield ("spec", "host"), host
    if manifest["kind"] == "Ingress" and isinstance(rules := spec.get("rules"), list):
        for number, rule in enumerate(rules):
            if isinstance(rule, dict) and isinstance(host := rule.get("host"), str):
                yield ("spec", "rules", number, "host"), host


def _taken(host: str, where: str) -> str:
    return f"{host!r} is already claimed at {where}"


def remarks(
    cluster: DesiredCluster, manifests: Sequence[Manifest], files: Mapping[str, bytes], today: datetime.date
) -> list[Problem]:
    """What is no mistake and worth a word on `today` (UTC): images that a tag may move, quotas that are too small,
    environments that have expired. `manifests` are the environments' objects."""
    found = [*_tags(cluster), *_default_tags(cluster, files)]
    for env in cluster.environments:
        if env.expired(today):
            message = f"expired on {env.spec.expires}: it is stopped, its volume is kept"
            found.append(cluster.problem("Environment", env.title, ("spec", "expires"), message))
    for owner, mine in by_owner(cluster.environments).items():
        running = [env for env in mine if not env.expired(today)]
        found += _too_much(cluster, running or mine, _hard(owner, manifests), _asked(mine, running))
    return found


def record(env: Environment, today: datetime.date) -> dict[str, str | None]:
    """An environment in a few words: whose and what it is, its state on `today` (UTC) by what git says, its last day,
    and where it is opened."""
    access, service = env.spec.access, f"{env.name}.{namespace(env.spec.owner)}"
    at = f"https://{access.host}" if access.host else f"Service {service}" if access.via == "backend" else "its Route"
    state = "stopped: expired" if env.expired(today) else "wanted"
    said = {"owner": env.spec.owner, "name": env.name, "type": env.spec.type, "state": state}
    return {**said, "expires": env.spec.expires, "open": at}


def _tags(cluster: DesiredCluster) -> Iterator[Problem]:
    for env in cluster.environments:
        if env.spec.image and not pinned(env.spec.image):
            yield cluster.problem("Environment", env.title, ("spec", "image"), *_moves(env.spec.image))


def _default_tags(cluster: DesiredCluster, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Of the types in use, at their templates."""
    types = {env.spec.type for env in cluster.environments if not env.spec.image}
    templates = {path: text for type_ in sorted(types) for path, text in below(files, f"{FOLDER}/{type_}").items()}
    for path, text in sorted(templates.items()):
        for said in _DEFAULT_IMAGE.finditer(text):
            image = said[1].decode(errors="replace")
            if not pinned(image):
                yield Problem(path, text.count(b"\n", 0, said.start()) + 1, 1, "", *_moves(image))


def _moves(image: str) -> tuple[str, str]:
    hint = f"`crane digest {image}` (or skopeo inspect) says its digest: write {image.partition('@')[0]}@sha256:…"
    return f"{image} is pinned by a tag, which can be moved", hint


def _hard(owner: str, manifests: Sequence[Manifest]) -> dict[str, Decimal]:
    """What the quotas in the owner's namespace allow."""
    found: dict[str, Decimal] = {}
    for m in manifests:
        if m["kind"] == "ResourceQuota" and m["metadata"].get("namespace") == namespace(owner):
            for name, value in (_mapping(m, "spec", "hard")).items():
                try:
                    found[str(name)] = min(quantity(str(value)), found.get(str(name), Decimal("Infinity")))
                except ValueError:  # one that the API server understands and we need not
                    continue
    return found


def _mapping(manifest: Manifest, *path: str) -> Mapping[str, Any]:
    value: Any = manifest
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _asked(mine: Sequence[Environment], running: Sequence[Environment]) -> dict[str, Decimal]:
    """What one owner's environments take of a quota: volumes always, the rest while they run."""
    total: dict[str, Decimal] = {
        "requests.cpu": sum((quantity(env.spec.cpu) for env in running), Decimal()),
        "requests.memory": sum((quantity(env.spec.memory) for env in running), Decimal()),
        "requests.storage": sum((quantity(env.spec.volume) for env in mine), Decimal()),
        "persistentvolumeclaims": Decimal(len(mine)),
    }
    for env in running:
        name = f"requests.{env.spec.gpu_resource}"
        total[name] = total.get(name, Decimal()) + env.spec.gpu
    return total


# The key of an environment that each resource is asked for by.
_KEYS = {"requests.cpu": "cpu", "requests.memory": "memory", "requests.storage": "volume"}


def _too_much(
    cluster: DesiredCluster, mine: Sequence[Environment], hard: Mapping[str, Decimal], asked: Mapping[str, Decimal]
) -> Iterator[Problem]:
    """At the owner's last environment: somewhere it has to be said."""
    last = mine[-1]
    for name, amount in asked.items():
        limit = hard.get(name)
        if limit is not None and amount > limit:
            message = f"the environments of {last.spec.owner!r} ask for {name} {_plain(amount, name)}"
            message += f", and their quota has {_plain(limit, name)}: what comes last will not start"
            hint = f"ask for less, or raise it in {FOLDER}/owner"
            yield cluster.problem("Environment", last.title, ("spec", _KEYS.get(name, "gpu")), message, hint)


def _plain(amount: Decimal, name: str) -> str:
    if name in ("requests.memory", "requests.storage"):
        return f"{(amount / 2**30).quantize(Decimal('0.01')).normalize():f}Gi"
    return f"{amount.normalize():f}"
