"""Cluster Autoscaler's own manifest beside git and this machine's settings: what it may not do right with.

Its limits are flags, and no answer of our server can change them (docs/decisions/0071). A machine of ours is a server,
a playbook and a kubelet, which takes longer than the flags' defaults allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Invalid, Problem
from ..model.desired import Workload
from .load import DesiredCluster
from .render import objects, workload
from .render.workload import Placed
from .tree import below
from .yaml import Path

FOLDER = "manifests/cluster-autoscaler"
_GROUP_LABEL = "research.moc/node-group"
_IMAGE = re.compile(r"cluster-autoscaler[a-z0-9-]*:v?1\.(\d{1,3})\.\d")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_TRUE = ("1", "t", "T", "true", "TRUE", "True")  # what Go reads as one
_STARTUP = "max-node-startup-time"
_UNREADY = "scale-down-unready-time"
_STARTUP_SINCE = 35  # the minor release that has it


@dataclass(frozen=True, slots=True)
class _Limit:
    """A flag that gives up what takes longer: its default in minutes, and what happens then."""

    flag: str
    minutes: int
    what: str


_LIMITS = (
    _Limit("max-node-provision-time", 15, "a machine is given up before it can be a node"),
    _Limit(_STARTUP, 15, "a node that is still being set up counts as broken, and another one comes"),
    _Limit(_UNREADY, 20, "a node that is still being set up is taken away"),
)


def remarks(cluster: DesiredCluster, files: Mapping[str, bytes], provision_minutes: int) -> list[Problem]:
    """What does not fit in the Deployment of Cluster Autoscaler that the cluster's workloads have, or else the
    repository's own folder, each at its line. None for a cluster whose groups nobody scales. `provision_minutes` is
    how long a machine may take to become a node."""
    if not any(group.max is not None for group in cluster.cluster.spec.node_groups):
        return []
    return [remark for placed in _objects(cluster, files) for remark in _of(placed, cluster, provision_minutes)]


def _objects(cluster: DesiredCluster, files: Mapping[str, bytes]) -> list[Placed]:
    """Those that run an autoscaler for us."""
    sources = [w for w in cluster.cluster.spec.workloads if w.name not in cluster.unbuilt]
    own = [p for p in objects.each_once(cluster, files, sources) if any(_containers(p))]
    if own:
        return own
    try:  # applied by hand, as its README says
        there = workload.read(below(files, FOLDER), Workload(name="cluster-autoscaler", path=FOLDER))
    except Invalid:
        return []
    return [placed for placed in there if any(_containers(placed))]


def _containers(placed: Placed) -> Iterator[tuple[Path, Mapping[str, Any], dict[str, str]]]:
    """Containers that ask us: each with its place and its flags."""
    place: tuple[str, ...] = ("spec", "template", "spec", "containers")
    found: Any = placed.object
    for key in place:
        found = found.get(key) if isinstance(found, Mapping) else None
    for number, container in enumerate(found if isinstance(found, (list, tuple)) else ()):
        if isinstance(container, Mapping):
            flags = _flags([*_texts(container, "command"), *_texts(container, "args")])
            if flags.get("cloud-provider") == "externalgrpc":
                yield (*place, number), container, flags


def _texts(container: Mapping[str, Any], key: str) -> list[str]:
    value = container.get(key)
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def _flags(words: Sequence[str]) -> dict[str, str]:
    """`--name=value`, `--name value`, and `--name` alone, which is true; of one given several times all values."""
    found: dict[str, str] = {}
    for number, word in enumerate(words):
        name, equal, value = word.lstrip("-").partition("=")
        if not word.startswith("-"):
            continue
        follower = words[number + 1] if number + 1 < len(words) else "-"
        value = value if equal else ("true" if follower.startswith("-") else follower)
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def _of(placed: Placed, cluster: DesiredCluster, minutes: int) -> Iterator[Problem]:
    for place, container, flags in _containers(placed):
        release = _IMAGE.search(str(container.get("image", "")))
        minor = int(release[1]) if release else None
        where = (*place, "args") if "args" in container else place
        yield from _image(placed, (*place, "image"), minor, cluster.cluster.spec.kubernetes.version)
        for limit in _LIMITS:
            if message := _too_short(limit, flags, minor, minutes):
                hint = f"write --{limit.flag}={minutes}m"
                yield placed.problem(where, message, hint)
        if minor is not None and minor < _STARTUP_SINCE and _STARTUP in flags:
            message = f"Cluster Autoscaler 1.{minor} does not know --{_STARTUP}, and does not start with it"
            yield placed.problem(where, message, f"take it out; it is there since 1.{_STARTUP_SINCE}")
        if flags.get("balance-similar-node-groups") in _TRUE and not _balances(flags):
            message = f"groups are never found similar: they differ in the label {_GROUP_LABEL}"
            yield placed.problem(where, message, f"write --balancing-ignore-label={_GROUP_LABEL}")


def _image(placed: Placed, place: Path, minor: int | None, version: str) -> Iterator[Problem]:
    wanted = version.split(".")[1]
    hint = f"name an image of 1.{wanted}: its simulation of the scheduler is that release's"
    if minor is None:
        yield placed.problem(place, "the image does not say which release of Cluster Autoscaler it is", hint)
    elif str(minor) != wanted:
        message = f"Cluster Autoscaler 1.{minor} and Kubernetes {version} are of two releases"
        yield placed.problem(place, message, hint)


def _too_short(limit: _Limit, flags: Mapping[str, str], minor: int | None, minutes: int) -> str:
    """Why a limit does not fit; empty where it does, or where the release has none such."""
    if limit.flag == _STARTUP and (minor is None or minor < _STARTUP_SINCE):
        return ""
    if limit.flag == _UNREADY and flags.get("scale-down-unready-enabled", "true") not in _TRUE:
        return ""  # then it takes none of them away
    said = flags.get(limit.flag)
    seconds = _seconds(said.split()[-1]) if said else limit.minutes * 60.0
    if seconds is None:
        return f"--{limit.flag}={said} is no duration, such as 30m"
    if seconds >= minutes * 60:
        return ""
    is_ = f"--{limit.flag} is {said}" if said else f"--{limit.flag} is left out, which is {limit.minutes}m"
    return f"{is_}, and autoscaler.provisionMinutes of the settings is {minutes}: {limit.what}"


def _seconds(text: str) -> float | None:
    """A duration as Go writes it, such as 1h30m; None for what is none."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _balances(flags: Mapping[str, str]) -> bool:
    """Does it look past the label, or only at labels that somebody named?"""
    return _GROUP_LABEL in flags.get("balancing-ignore-label", "").split() or "balancing-label" in flags
