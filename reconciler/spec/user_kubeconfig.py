"""A cluster's kubeconfig for a person: under the cluster's name, and beside what that person's own file has. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..errors import Invalid
from .edit import plain
from .yaml import Unreadable, parse

_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
# clientcmd.RelativizeClusterLocalPaths and RelativizeAuthInfoLocalPaths: these name files beside the kubeconfig.
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class Login:
    """One context of a kubeconfig with the cluster and the user it names, all three called alike."""

    name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    namespace: str = ""

    @property
    def server(self) -> str:
        return str(self.cluster.get("server", ""))

    def document(self) -> dict[str, Any]:
        """A kubeconfig with nothing else in it."""
        empty: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
        return merged(empty, self, use=True)


def login(name: str, place: Path, content: bytes, context: str | None = None) -> Login:
    """The login of `context` (the file's current one when None) under another `name`. Paths beside the file become
    absolute. Raises Invalid for a file that has no such context."""
    document = parsed(place, content)
    context = context or str(document.get("current-context") or "")
    chosen = _entry(document, "contexts", context, place)
    cluster = dict(_entry(document, "clusters", str(chosen.get("cluster")), place))
    user = dict(_entry(document, "users", str(chosen.get("user")), place))
    for part in (cluster, user):
        part.update({k: str(place.absolute().parent / str(part[k])) for k in _FILES if part.get(k)})
    return Login(name, cluster, user, str(chosen.get("namespace") or ""))


def merged(document: Mapping[str, Any], added: Login, *, use: bool) -> dict[str, Any]:
    """A person's kubeconfig with the login in it; entries of its name are replaced, all others stay. It becomes the
    current context with `use`, or where there is none."""
    result: dict[str, Any] = copy.deepcopy(dict(document))
    context: dict[str, Any] = {"cluster": added.name, "user": added.name}
    context |= {"namespace": added.namespace} if added.namespace else {}
    contents = {"clusters": added.cluster, "users": added.user, "contexts": context}
    for section, key in _LISTS.items():
        entries = [entry for entry in result.get(section) or () if entry.get("name") != added.name]
        result[section] = [*entries, {"name": added.name, key: dict(contents[section])}]
    if use or not result.get("current-context"):
        result["current-context"] = added.name
    return result


def server_of(document: Mapping[str, Any], name: str) -> str | None:
    """Which API the context of that name leads to; None where there is no such context."""
    context = _named(document, "contexts", name)
    if context is None:
        return None
    cluster = _named(document, "clusters", str(context.get("cluster"))) or {}
    return str(cluster.get("server", ""))


def in_the_way(document: Mapping[str, Any], added: Login) -> str:
    """What would be lost by merging: something of the login's name that leads to another API, or that a context of
    another name leads through; empty where nothing is."""
    before = server_of(document, added.name)
    if before not in (None, added.server):
        return f"the context {added.name!r} leads to another API ({before})"
    cluster = _named(document, "clusters", added.name)
    if cluster is not None and cluster.get("server", "") != added.server:
        return f"the cluster {added.name!r} is another API ({cluster.get('server', '')})"
    for entry in document.get("contexts") or ():
        through = entry.get("context") or {}
        if entry["name"] != added.name and through.get("user") == added.name and through.get("cluster") != added.name:
            return f"the context {entry['name']!r} logs in as the user {added.name!r}"
    return ""


def parsed(place: Path, content: bytes) -> dict[str, Any]:
    """A kubeconfig as a mapping; an empty file is an empty one. Raises Invalid for anything else."""
    hint = f"see what is wrong with it: kubectl config view --kubeconfig={place}"
    try:
        documents = parse(str(place), content)
    except Unreadable as error:
        raise Invalid(f"{place} can't be read", hint=hint, problems=[error.problem]) from None
    document = plain(documents[0].value if documents else {}) or {}
    sections = isinstance(document, dict) and all(_is_list(document.get(s), key) for s, key in _LISTS.items())
    if len(documents) > 1 or not sections or document.get("kind", "Config") not in ("Config", "", None):
        raise Invalid(f"{place} is no kubeconfig", hint=hint)
    return cast("dict[str, Any]", document)


def _is_list(entries: object, key: str) -> bool:
    return entries is None or (isinstance(entries, list) and all(_is_entry(entry, key) for entry in entries))


def _is_entry(entry: object, key: str) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    return isinstance(entry.get(key) or {}, dict)


def _entry(document: Mapping[str, Any], section: str, name: str, place: Path) -> Mapping[str, Any]:
    entry = _named(document, section, name)
    if entry is None:
        raise Invalid(f"{place} has no {_LISTS[section]} {name!r}", hint="its current context names none that is there")
    return entry


def _named(document: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any] | None:
    for entry in document.get(section) or ():
        if entry["name"] == name:
            return cast("Mapping[str, Any]", entry.get(_LISTS[section]) or {})
    return None
