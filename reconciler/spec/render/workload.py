"""A folder of manifests as people keep them: read, checked, and given the namespace they did not name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ...errors import Invalid, Problem
from ...model.desired import Workload
from ...ports import Manifest
from .. import helm, kustomize, sealed
from ..scalars import older
from ..yaml import Document, Path, Unreadable, parse, quoted
from . import scope
from .scope import Scoped

_SUFFIXES = (".yaml", ".yml", ".json")
_LARGEST = 3 << 20  # bytes of one object: what an API server reads of a request (MaxRequestBodyBytes)
_SHOWN = 100  # mistakes that are told one by one
# What is read here, of which kind; the rest is the API server's to judge.
_MAPPINGS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "HorizontalPodAutoscaler": (("spec",), ("spec", "scaleTargetRef")),
    "Secret": (("data",), ("stringData",)),
    "Service": (("spec",),),
}

_HINT_NULL = 'take the key out, or write "" for an empty text (a file that SOPS keeps is opened with `sops FILE`)'

Built: TypeAlias = kustomize.Built | helm.Built


@dataclass(frozen=True, slots=True)
class Placed:
    """One object, where in which document it stands, what is encrypted in what it was made from, and of which workload
    it is."""

    document: Document
    path: Path
    object: dict[str, Any] = field(repr=False)
    built: Built | None = None
    workload: str = ""
    values: sealed.Values = field(default=sealed.NOTHING, repr=False)

    @property
    def where(self) -> str:
        place = self.problem((), "")
        return f"{place.file}:{place.line}"

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        """A problem of the object; of one that a program made, at what it was made from."""
        found = self.document.problem((*self.path, *path), message, hint)
        return self.built.told(found) if self.built else found


def workload(files: Mapping[str, bytes], source: Workload) -> list[Manifest]:
    """Every object of the folder `files`, in the order of file names. Raises Invalid with every problem."""
    found = read(files, source)
    return [one.object for one in settled(found, source, defined(found))]


def read(
    files: Mapping[str, bytes],
    source: Workload,
    built: Built | None = None,
    encrypted: sealed.Encrypted = sealed.NONE,
) -> list[Placed]:
    """Every object of a workload as it is written, each with its place; of what a program `built` of it, where it did.
    What SOPS `encrypted` still is so. Raises Invalid with every problem."""
    if built:
        found, problems = _looked_into(built.documents)
    else:
        found, problems = _read({name: files[name] for name in sorted(files) if name.endswith(_SUFFIXES)}, encrypted)
    _refuse(_all_mistakes(found, problems, built))
    return [replace(one, workload=source.name, values=built.values if built else one.values) for one in found]


def _all_mistakes(found: Sequence[Placed], problems: Sequence[Problem], built: Built | None = None) -> list[Problem]:
    """What is wrong with the objects and with what they show of what SOPS encrypted, beside `problems` of their
    text. Of what a program made, at what it was made from."""
    mistakes = [*problems, *(problem for one in found for problem in _mistakes(one))]
    told = [built.told(problem) for problem in mistakes] if built else mistakes
    readable = (one for one in found if isinstance(one.object, dict))
    return [*told, *(problem for one in readable for problem in _leaks(one, built))]


def _leaks(one: Placed, built: Built | None = None) -> Iterator[Problem]:
    """Where the object would show what SOPS encrypted."""
    for leak in sealed.leaks(one.object, built.values if built else one.values):
        yield built.leaked(leak) if built else one.problem(leak.path, leak.message, leak.hint)


def settled(found: list[Placed], source: Workload, scoped: Scoped, built: Built | None = None) -> list[Placed]:
    """What was read of a workload, in its namespaces and in the clear; kinds of `scoped` have none. Raises Invalid for
    what is there twice."""
    with _told(built):
        _settle(found, source.namespace, scoped)
    return [replace(one, object=sealed.unsealed(one.object, one.values), built=built) for one in found]


@contextlib.contextmanager
def _told(built: Built | None) -> Iterator[None]:
    """Problems of what a program made are told at what it was made from."""
    try:
        yield
    except Invalid as error:
        if built is None:
            raise
        raise Invalid(error.message, problems=[built.told(p) for p in error.problems]) from None


def defined(found: Iterable[Placed]) -> Scoped:
    """The kinds without namespaces that are defined by these."""
    return scope.defined(one.object for one in found)


def manifests(
    files: Mapping[str, bytes],
    namespace: str,
    scoped: Scoped = frozenset(),
    encrypted: sealed.Encrypted = sealed.NONE,
) -> list[Manifest]:
    """Every object of `files`, in the clear; what names no namespace goes to `namespace`, except what they, or
    `scoped`, say has none. Raises Invalid with every problem."""
    found, problems = _read(files, encrypted)
    _refuse(_all_mistakes(found, problems))
    _settle(found, namespace, scoped | defined(found))
    return [sealed.unsealed(one.object, one.values) for one in found]


def _settle(found: Sequence[Placed], namespace: str, scoped: Scoped) -> None:
    without = scoped | scope.BUILT_IN
    for one in found:
        _place(one.object, namespace, without)
    _refuse(list(_duplicates(found)))


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid("the manifests have mistakes", problems=_first(problems))


def _first(problems: list[Problem]) -> list[Problem]:
    """As many as anybody reads, and how many more there are."""
    shown, rest = problems[:_SHOWN], len(problems) - _SHOWN
    last = shown[-1]
    more = Problem(last.file, last.line, last.column, "", f"{rest} more mistakes", "correct the first ones")
    return [*shown, more] if rest > 0 else shown


def _read(files: Mapping[str, bytes], encrypted: sealed.Encrypted) -> tuple[list[Placed], list[Problem]]:
    documents: list[Document] = []
    problems: list[Problem] = []
    for name, text in files.items():
        try:
            documents += parse(name, text)
        except Unreadable as error:
            problems.append(error.problem)
    found, more = _looked_into(documents)
    kept = {name: values for name in files if (values := encrypted.of(name)).present}
    return [replace(one, values=kept[f]) if (f := one.document.file) in kept else one for one in found], problems + more


def _looked_into(documents: Sequence[Document]) -> tuple[list[Placed], list[Problem]]:
    problems = [problem for document in documents for problem in ambiguous(document)]
    there = (d for d in documents if d.value is not None)
    return [one for d in there for one in _objects(d, (), _plain(d.value))], problems


def _objects(document: Document, path: Path, value: Any) -> Iterator[Placed]:
    """An object, or those of a List: what `kubectl get -o yaml` writes."""
    kind = str(value.get("kind", "")) if isinstance(value, dict) else ""
    items = (value.get("items") or []) if kind == "List" else value.get("items") if kind.endswith("List") else None
    if isinstance(items, list):
        for index, item in enumerate(items):
            yield from _objects(document, (*path, "items", index), item)
    else:
        yield Placed(document, path, value)


def _mistakes(one: Placed) -> Iterator[Problem]:
    if not isinstance(one.object, dict):
        yield one.problem((), "is not a Kubernetes object", "an object has apiVersion, kind and metadata")
        return
    if one.object.get("kind") == "List":
        yield one.problem(("items",), "items is not a list", "a List has its objects there")
        return
    for key in ("apiVersion", "kind"):
        if not isinstance(one.object.get(key), str) or not one.object[key]:
            yield one.problem((key,), f"{key} is missing", "every document must be a Kubernetes object")
    metadata = one.object.get("metadata")
    if not isinstance(metadata, dict):
        yield one.problem(("metadata",), "metadata is missing", "give the object a name: metadata.name")
    elif "generateName" in metadata:
        hint = "give it a name: what is applied again and again must be the same object"
        yield one.problem(("metadata", "generateName"), "generateName makes a new object at every apply", hint)
    elif not isinstance(metadata.get("name"), str) or not metadata["name"]:
        yield one.problem(("metadata", "name"), "metadata.name is missing or not text", "give the object a name")
    elif not isinstance(metadata.get("namespace") or "", str):
        yield one.problem(("metadata", "namespace"), "metadata.namespace is not text", "put it in quotes")
    else:
        for key in ("labels", "annotations"):
            if not isinstance(metadata.get(key) or {}, dict):
                yield one.problem(("metadata", key), f"metadata.{key} is not a mapping of keys to values")
    size = len(json.dumps(one.object))
    if size > _LARGEST:
        hint = "no server takes it whole: make several objects of it, or leave out what nobody reads"
        yield one.problem((), f"has {size / (1 << 20):.1f} MiB as JSON, and an API server reads 3 MiB", hint)
    yield from _misshapen(one)


def _misshapen(one: Placed) -> Iterator[Problem]:
    for path in _MAPPINGS.get(str(one.object.get("kind")), ()):
        if _no_mapping(one.object, path):
            yield one.problem(path, f"{'.'.join(path)} is not a mapping of keys to values")
    document = one.document.value
    kept = isinstance(document, Mapping) and "sops" in document
    for place in sealed.no_text(one.object, kept=kept):
        section, name = map(str, place)
        hint = _HINT_NULL if one.object[section][name] is None else "put it in quotes"
        yield one.problem(place, "is no text, as all of a Secret's data has to be", hint)


def _no_mapping(value: Any, path: tuple[str, ...]) -> bool:
    """Is something else there? What is above it is told by itself."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return not isinstance(value or {}, dict)


def _place(obj: dict[str, Any], namespace: str, scoped: Scoped) -> None:
    if scope.kind_of(obj) in scoped:
        obj["metadata"].pop("namespace", None)
    elif not obj["metadata"].get("namespace"):
        obj["metadata"]["namespace"] = namespace


def _duplicates(found: Sequence[Placed]) -> Iterator[Problem]:
    first: dict[tuple[str, ...], Placed] = {}
    for one in found:
        obj, metadata = one.object, one.object["metadata"]
        at = (*scope.kind_of(obj), metadata.get("namespace") or "", metadata["name"])
        before = first.setdefault(at, one)
        if before is not one:
            message = f"{obj['kind']} {metadata['name']} is already defined at {before.where}"
            yield one.problem(("metadata", "name"), message, "remove one of them")


def ambiguous(document: Document) -> Iterator[Problem]:
    """The unquoted words that are one thing to Kubernetes and another to YAML 1.2: nobody should have to know which."""
    for path, word in document.loose.items():
        meant = older(word)
        if isinstance(meant, bool):
            said, other = ("true", "false")[not meant], "text"
            hint = f"write {said}, or put it in quotes"
        else:
            octal = word.lstrip("+-").startswith("0")
            said, other = ("octal", "decimal") if octal else ("a number", "text")
            hint = f"write it in decimal ({word} is {meant}), or as 0o{meant:o}" if octal else "put it in quotes"
        yield document.problem(path, f"{quoted(word)} is {said} to Kubernetes and {other} to YAML 1.2", hint)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
