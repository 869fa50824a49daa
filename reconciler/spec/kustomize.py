"""Kustomize folders as text: what a build reads, what is refused before it, and where a mistake it finds stands.

The build itself is a program's (`Kustomize` of ports). It sees the files as git has them, so that what SOPS encrypted
stays so: on disk, in the cache, and in what comes out. Only the objects made from that are opened, in memory.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Invalid, Problem
from ..ports import Kustomize
from . import sealed, secrets
from .tree import below
from .yaml import Document, Path, Unreadable, dotted, parse, quoted

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_YAML = (".yaml", ".yml", ".json", "/Kustomization")
_LISTS = (
    *("resources", "bases", "components", "crds", "configurations"),
    *("generators", "transformers", "validators", "patchesStrategicMerge"),
)
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
# What takes a value from one object to another, the likeliest first.
_CARRIERS = (
    *("replacements", "vars", "configMapGenerator", "patches", "patchesStrategicMerge", "patchesJson6902"),
    *("transformers", "generators", "components", "resources", "bases"),
)
_REMOTE = re.compile(r"[a-z+]+://|[a-z]+::|[\w.-]+@[\w.-]+:|(?:[\w-]+\.)+[a-z]{2,}/|.*\?(?:ref|version|timeout)=", re.I)
_REFUSED = {
    "secretGenerator": (
        "would keep a Secret's data in plain text",
        "write the Secret as a file of its own, encrypt that with SOPS, and name it under resources",
    ),
    **dict.fromkeys(
        ("helmCharts", "helmChartInflationGenerator", "helmGlobals"),
        (
            "Helm charts are not rendered here",
            "make it a workload of its own: a folder with a Chart.yaml, or helm.chart with a pinned archive",
        ),
    ),
}
_VENDOR = "copy what you need of it into the repository, at the version you mean, and name that folder"
_LONGEST = 600


@dataclass(frozen=True)
class Built:
    """What a build made, secrets still encrypted, and what is encrypted in the files it was made from. `line` is where
    the kustomization does something with its resources, else its first."""

    file: str
    documents: Sequence[Document] = field(repr=False)
    values: sealed.Values = field(default_factory=sealed.Values, repr=False)
    line: int = 1

    def told(self, problem: Problem) -> Problem:
        """A problem of what came out, at the kustomization it came from."""
        folder = posixpath.dirname(self.file)
        message = f"line {problem.line} of what kustomize makes of it: {problem.message}"
        shown = f"look at it: kubectl kustomize {folder}"
        return Problem(self.file, 1, 1, problem.path, message, f"{problem.hint}; {shown}" if problem.hint else shown)

    def leaked(self, leak: sealed.Leak) -> Problem:
        """The problem of a leak in what came out: at the encrypted file where that is wrong itself, else at what of the
        kustomization is most likely to have carried the value there."""
        if at_origin := leak.at_origin:
            return at_origin
        message = f"{leak.message} (it is {leak.origin})" if leak.origin else leak.message
        return Problem(self.file, self.line, 1, dotted(leak.path), message, leak.hint)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A path that a kustomization names. `folders`: it may be a folder as well."""

    path: Path
    name: str
    folders: bool


def file_of(files: Mapping[str, bytes], folder: str) -> str | None:
    """The folder's kustomization; None for a folder of plain manifests."""
    names = (f"{folder.rstrip('/')}/{name}" for name in NAMES)
    return next((name for name in names if name in files), None)


def built(raw: Mapping[str, bytes], clear: Mapping[str, bytes], folder: str, program: Kustomize) -> Built | None:
    """Build a folder. `raw` are the files as git has them, `clear` the same with what SOPS keeps opened. None when
    the program is not on this machine. Raises Invalid: all problems that show before the build, or the build's own."""
    folder = folder.rstrip("/")
    kustomization = file_of(raw, folder)
    if kustomization is None:
        raise Invalid(f"{folder} has no {NAMES[0]}")
    used = sources(raw, folder)
    try:
        text = program.build(folder, used)
    except Invalid as error:
        raise Invalid(f"{folder} can't be built", problems=[_blamed(used, kustomization, error.message)]) from None
    if text is None:
        return None
    read, line = _read(kustomization, text), _carrying(kustomization, used[kustomization])
    made = Built(kustomization, read, sealed.values(used, clear), line)
    _check_secrets(made, used)
    return made


def _carrying(file: str, text: bytes) -> int:
    """The line of what may carry a value from one object to another."""
    try:
        document = next(iter(parse(file, text)), None)
    except Unreadable:
        return 1
    named = (document.positions[key,] for key in _CARRIERS if document and (key,) in document.positions)
    return next((line for line, _ in named), 1)


def sources(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """Every file a build of the folder may read: all below it and below the folders it refers to. Raises Invalid for
    what leads out of the commit, for what is not supported, and for secrets in plain text."""
    problems: list[Problem] = []
    used: dict[str, bytes] = {}
    for root in _roots(files, folder, problems):
        used |= below(files, root)
    problems += [problem for path in sorted(used) for problem in _mistakes(path, used[path])]
    if problems:
        raise Invalid("a kustomization has mistakes", problems=list(dict.fromkeys(problems)))
    return used


def folders(files: Mapping[str, bytes], folder: str) -> dict[str, Problem | None]:
    """The folders a build reads: `folder`, and those it refers to, with the place that names each. What is wrong with
    them is `sources`' to tell."""
    return _roots(files, folder, [])


def _roots(files: Mapping[str, bytes], folder: str, problems: list[Problem]) -> dict[str, Problem | None]:
    roots: dict[str, Problem | None] = {folder: None}
    left = [folder]
    while left:
        for target, place in _referred(files, left.pop(), problems):
            if target not in roots:
                roots[target] = place
                left.append(target)
    return roots


def _referred(files: Mapping[str, bytes], root: str, problems: list[Problem]) -> Iterator[tuple[str, Problem]]:
    """The folders that the kustomization of `root` refers to, each with the place that names it."""
    name = file_of(files, root)
    if name is None:
        return
    try:
        documents = parse(name, files[name])
    except Unreadable as error:
        problems.append(error.problem)
        return
    for document in documents:
        value = document.value if isinstance(document.value, dict) else {}
        problems += [document.problem((key,), *_REFUSED[key]) for key in value if key in _REFUSED]
        problems += [document.problem((*path, key), *_respelt(key)) for path, key in _keys(value) if _respelt(key)[1]]
        problems += [document.problem(path, *said) for path, said in _inline(value)]
        for entry in _entries(value):
            target = posixpath.normpath(posixpath.join(root, entry.name))
            if target in files and target.startswith(f"{root}/"):
                continue
            if entry.folders and file_of(files, target) and not entry.name.startswith("/"):
                yield target, document.problem(entry.path, "")
            else:
                problems.append(document.problem(entry.path, *_astray(files, target, entry)))


# Every key that is looked at here, as kustomize writes it; it reads them in any case.
_SPELT = {
    key.casefold(): key
    for key in (*_LISTS, *_WITH_PATH, *_REFUSED, "configMapGenerator", "openapi", "path", "files", "envs", "env")
}


def _respelt(key: str) -> tuple[str, str]:
    """What is wrong with a key that kustomize would read, and that is another one here; no hint where nothing is."""
    known = _SPELT.get(key.casefold(), key)
    return f"{quoted(key)} is not how kustomize writes it", "" if known == key else f"write {known}"


def _keys(value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The keys that may name a file: of the kustomization, and of the entries of its lists."""
    for key, item in value.items():
        yield (), key
        if key in (*_WITH_PATH, "configMapGenerator"):
            for index, entry in enumerate(_list(item)):
                yield from (((key, index), name) for name in (entry if isinstance(entry, dict) else ()))
        elif key == "openapi" and isinstance(item, dict):
            yield from (((key,), name) for name in item)


def _inline(value: Mapping[str, Any]) -> Iterator[tuple[Path, tuple[str, str | None]]]:
    """What is wrong with generators and transformers that are written where others are named."""
    for key in ("generators", "transformers", "validators"):
        for index, text in enumerate(_list(value.get(key))):
            with contextlib.suppress(Unreadable):  # kustomize tells it
                for document in parse(key, text.encode()) if isinstance(text, str) else ():
                    yield from (((key, index), (p.message, p.hint)) for p in _downloads(document))


def _astray(files: Mapping[str, bytes], target: str, entry: _Entry) -> tuple[str, str]:
    """What is wrong with a path that leads to nothing a build may read."""
    name = quoted(entry.name)
    if target in files:
        hint = f"give that folder a {NAMES[0]} of its own, and name the folder"
        return f"{name} lies outside of this kustomization's folder", hint
    if any(path.startswith(f"{target}/") for path in files):
        return f"{name} is a folder without a {NAMES[0]}", "name its files one by one, or add one"
    if _REMOTE.match(entry.name):
        return f"{name} is not in this repository: a build asks no network", _VENDOR
    if entry.name.startswith("/") or target.startswith(".."):
        return f"{name} leads out of the repository", "paths are relative to the kustomization"
    return f"there is no {name}", "paths are relative to the kustomization, and count only when they are in git"


def _entries(value: Mapping[str, Any]) -> Iterator[_Entry]:
    for key in _LISTS:
        for index, name in enumerate(_list(value.get(key))):
            if isinstance(name, str) and "\n" not in name and not name.lstrip().startswith("{"):
                yield _Entry((key, index), name, key not in ("crds", "configurations", "patchesStrategicMerge"))
    for key in _WITH_PATH:
        for index, item in enumerate(_list(value.get(key))):
            if isinstance(item, dict) and isinstance(item.get("path"), str):
                yield _Entry((key, index, "path"), item["path"], False)
    if isinstance(schema := value.get("openapi"), dict) and isinstance(schema.get("path"), str):
        yield _Entry(("openapi", "path"), schema["path"], False)
    for index, item in enumerate(_list(value.get("configMapGenerator"))):
        if isinstance(item, dict):
            yield from _generated(item, ("configMapGenerator", index))


def _generated(item: Mapping[str, Any], path: Path) -> Iterator[_Entry]:
    """`files` are paths, or key=path; `env` is the older word for one of `envs`."""
    for key in ("files", "envs"):
        for index, name in enumerate(_list(item.get(key))):
            if isinstance(name, str):
                yield _Entry((*path, key, index), name.rpartition("=")[2] if key == "files" else name, False)
    if isinstance(item.get("env"), str):
        yield _Entry((*path, "env"), item["env"], False)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else ()


def _mistakes(path: str, text: bytes) -> list[Problem]:
    """Secrets in plain text, and what would be downloaded, in any file that a build may read."""
    if path.endswith(".md"):
        return []
    if not path.endswith(_YAML):
        return secrets.check_text(path, text, assignments=True)
    try:
        documents = parse(path, text)
    except Unreadable:
        return secrets.check_text(path, text, assignments=True)
    return [problem for document in documents for problem in (*secrets.check(document, text), *_downloads(document))]


def _downloads(document: Document) -> Iterator[Problem]:
    """A generator or transformer of its own file names files too, and kustomize would take a URL for one."""
    value = document.value
    if isinstance(value, dict) and value.get("apiVersion") == "builtin":
        for path, name in _files_in(value, ()):
            if "://" in name:
                yield document.problem(
                    path, f"{quoted(name)} is not in this repository: a build asks no network", _VENDOR
                )


def _files_in(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, (dict, tuple)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _files_in(item, (*path, key))
    elif isinstance(value, str) and any(key in path for key in ("path", "paths", "files", "envs", "env")):
        yield path, value


_LINE = re.compile(r"\bline (\d+)")
_NAMED = re.compile(r"""in File: (\S+)|unknown field \\?"([^"\\]+)|path\(([^)]+)\)|'([^'\s]+)'|"([^"\s]+)\"""")


def _blamed(used: Mapping[str, bytes], kustomization: str, said: str) -> Problem:
    """The problem where kustomize says it is: a file it names with a line, or the word it stumbled over."""
    names = [name for groups in _NAMED.findall(said) for name in groups if name]
    line = _LINE.search(said)
    hint = f"look closer: kubectl kustomize {posixpath.dirname(kustomization)}"
    message = said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."
    message = f"kustomize refuses it: {message}"
    for name in reversed(names):
        files = [path for path in used if path == name or path.endswith(f"/{name}")]
        if len(files) == 1 and files[0] != kustomization and "File:" in said:
            try:
                parse(files[0], used[files[0]])
            except Unreadable as error:  # ours knows the place better
                return error.problem
            return Problem(files[0], int(line[1]) if line else 1, 1, "", message, hint)
    for name in reversed(names):
        for path in sorted(used, key=lambda path: path != kustomization):
            if path.endswith(NAMES) and name.encode() in used[path]:
                number = used[path][: used[path].index(name.encode())].count(b"\n") + 1
                return Problem(path, number, 1, "", message, hint)
    return Problem(kustomization, int(line[1]) if line else 1, 1, "", message, hint)


def _read(file: str, text: bytes) -> list[Document]:
    """Raises Invalid when what came out is no YAML we read."""
    try:
        return parse(file, text)
    except Unreadable as error:
        problems = [Built(file, ()).told(error.problem)]
        raise Invalid("a kustomization has mistakes", problems=problems) from None


def _check_secrets(one: Built, used: Mapping[str, bytes]) -> None:
    """Raises Invalid when what came out has a secret in plain text. Comments of `used` are gone from it."""
    if not any(secrets.check(document) for document in one.documents):
        return
    known = frozenset().union(*(secrets.excused(path, text) for path, text in used.items()))
    if problems := [one.told(problem) for d in one.documents for problem in secrets.unexcused(d, known)]:
        raise Invalid("there is a secret in plain text", problems=problems)
