"""Helm charts as objects: what a render is given, what of it counts, and where a mistake in it stands.

The render itself is a program's (`Helm` of ports). It gets values as git has them: what SOPS encrypted goes through the
templates as it is, and is opened in memory, in the Secrets that come out and nowhere else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import Invalid, Problem
from ..model.desired import HelmRelease, Workload
from ..ports import Archive, Helm, Rendering
from ..yaml_text import dump
from . import sealed
from .scalars import older
from .tree import below, refuse_plain
from .yaml import Document, Path, Unreadable, dotted, parse, quoted

CHART = "Chart.yaml"
_LONGEST = 600
_HOOK = "helm.sh/hook"
# Nothing is uninstalled or rolled back by helm here, and tests are run by people.
_NEVER = {"pre-delete", "post-delete", "pre-rollback", "post-rollback", "test", "test-success", "test-failure"}
_LIKE_ANY = {"crd-install"}
_SOURCE = re.compile(rb"^---\n# Source: (.+)\n", re.MULTILINE)
# What makes something else at each render, or at each time and place of one.
_RANDOM = re.compile(
    r"\b(rand(AlphaNum|Alpha|Numeric|Ascii|Bytes|Int)|gen(PrivateKey|CA|SelfSignedCert|SignedCert)\w*|uuidv4|bcrypt"
    r"|htpasswd|encryptAES|shuffle|now|ago)\b"
)
_EACH_TIME = "makes something else each time"


@dataclass(frozen=True)
class Place:
    """Where a workload stands in its cluster's YAML, and the chart's folder, where it is in the repository."""

    document: Document
    path: Path
    folder: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def problem(self, path: Path, message: str, hint: str | None = None) -> Problem:
        return self.document.problem((*self.path, *path), message, hint)

    def file_of(self, source: str) -> str | None:
        """The repository's file that helm calls `source`: web/templates/a.yaml, when the chart is called web."""
        file = f"{self.folder}/{source.partition('/')[2]}"
        return file if self.folder and file in self.files else None


@dataclass(frozen=True)
class Built:
    """What came out of a chart, secrets still encrypted, and what is encrypted in the files it was given."""

    place: Place
    documents: Sequence[Document] = field(default=(), repr=False)
    values: sealed.Values = field(default_factory=sealed.Values, repr=False)

    def told(self, problem: Problem) -> Problem:
        """A problem of what came out, at the template it came from, or at the workload of a chart that is not here."""
        file = self.place.file_of(problem.file)
        source = "it" if file else problem.file
        message = f"line {problem.line} of what helm makes of {source}: {problem.message}"
        if file:
            return Problem(file, 1, 1, problem.path, message, problem.hint)
        at = self.place.problem(("helm",), message, problem.hint)
        return replace(at, path=".".join(part for part in (at.path, problem.path) if part))

    def leaked(self, leak: sealed.Leak) -> Problem:
        """The problem of a leak in what came out: at a value that is wrong itself, else at the workload, which gives
        the chart its values."""
        message = f"{leak.message} (it is {leak.origin})" if leak.origin else leak.message
        if leak.own and (at_origin := leak.at_origin):
            return replace(at_origin, message=message)
        hint = f"give the chart a Secret's name instead of the value: {leak.hint}"
        return self.place.problem(("helm",), f"{dotted(leak.path)}: {message}", hint)


def is_chart(files: Mapping[str, bytes], workload: Workload) -> bool:
    """Is this workload a chart: a folder with a Chart.yaml, or one of a repository?"""
    return workload.helm is not None or f"{workload.path.rstrip('/')}/{CHART}" in files


def built(
    raw: Mapping[str, bytes], clear: Mapping[str, bytes], workload: Workload, at: Place, version: str, program: Helm
) -> Built | None:
    """Render a workload's chart. `raw` are the files as git has them, `clear` the same with what SOPS keeps opened;
    `version` is the cluster's Kubernetes. None when the program or the archive is not on this machine. Raises Invalid:
    all problems that show before the render, or the render's own."""
    release, folder = workload.helm or HelmRelease(), workload.path.rstrip("/")
    at = replace(at, folder=folder, files=raw)
    used = below(raw, folder) if folder else {}
    wanted = Rendering(
        release=release.release or workload.name,
        namespace=workload.namespace,
        kubernetes=version,
        api_versions=release.api_versions,
        values=_values(raw, release, at, at_chart=folder),
        files={path.removeprefix(f"{folder}/"): _plain(path, text) for path, text in used.items()},
        archive=_archive(release),
    )
    try:
        text = program.render(wanted)
    except Invalid as error:
        raise Invalid("a chart can't be rendered", problems=[_blamed(at, error)]) from None
    if text is None:
        return None
    named = {path: raw[path] for path in release.values_files}
    made = Built(at, (), sealed.values({**used, **named}, clear))
    return replace(made, documents=_documents(made, text, release))


def _archive(release: HelmRelease) -> Archive | None:
    chart = release.chart
    if chart is None:
        return None
    return Archive(chart.repository, chart.name, chart.version, chart.digest.removeprefix("sha256:"))


def _plain(path: str, text: bytes) -> bytes:
    """The chart's own values.yaml may be encrypted; what SOPS notes at the end of it is no value."""
    if not path.endswith((".yaml", ".yml")) or b"sops:" not in text:
        return text
    try:
        return sealed.without_sops(path, text)
    except Unreadable:  # a template
        return text


def _values(raw: Mapping[str, bytes], release: HelmRelease, at: Place, *, at_chart: str) -> tuple[bytes, ...]:
    """The values as texts, last the inline ones. Raises Invalid."""
    problems: list[Problem] = []
    texts: list[bytes] = []
    if at_chart and f"{at_chart}/{CHART}" not in raw:
        problems.append(
            at.problem(("path",), f"{at_chart} is no chart: it has no {CHART}", "leave out helm, or add one")
        )
    refuse_plain(raw, (name for name in release.values_files if name in raw))
    for number, name in enumerate(release.values_files):
        try:
            texts.append(sealed.without_sops(name, raw[name]))
        except KeyError:
            hint = "paths start at the repository's root, such as manifests/values/grafana.yaml"
            problems.append(at.problem(("helm", "valuesFiles", number), f"there is no file {quoted(name)}", hint))
        except Unreadable as error:
            problems.append(error.problem)
    if problems:
        raise Invalid("a chart has mistakes", problems=problems)
    inline = dump(_lists(release.values)).encode() if release.values else b""
    return (*texts, inline) if inline else tuple(texts)


def inline_mistakes(document: Document) -> Iterator[Problem]:
    """Words among the values in a cluster's own file that Helm reads otherwise than we do."""
    for path, word in document.loose.items():
        if "helm" in path and "values" in path:
            said = str(older(word)).lower()
            yield document.problem(
                path, f"{quoted(word)} is {said} to Helm and something else here", "put it in quotes"
            )


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def _documents(made: Built, text: bytes, release: HelmRelease) -> tuple[Document, ...]:
    """What counts of a render. Raises Invalid."""
    found: list[Document] = []
    problems: list[Problem] = []
    parts = _SOURCE.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        try:
            for document in parse(name.decode(errors="replace"), body):
                hooks = _hooks(document)
                if hooks and release.hooks == "refuse":
                    problems.append(_hook(made, document, hooks))
                elif not _left_out(document, hooks, release):
                    found.append(_as_kubernetes_reads(document))
        except Unreadable as error:
            problems.append(made.told(error.problem))
    if problems:
        raise Invalid("a chart has mistakes", problems=problems)
    return tuple(found)


def _events(document: Document) -> set[str]:
    value = document.value if isinstance(document.value, dict) else {}
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    said = annotations.get(_HOOK) if isinstance(annotations, dict) else None
    return {word.strip() for word in said.split(",")} if isinstance(said, str) else set()


def _hooks(document: Document) -> set[str]:
    """The moments of an installation or an upgrade that an object is made for."""
    return _events(document) - _NEVER - _LIKE_ANY


def _left_out(document: Document, hooks: set[str], release: HelmRelease) -> bool:
    if hooks:
        return release.hooks == "skip"
    return bool(_events(document) & _NEVER)


def _hook(made: Built, document: Document, hooks: set[str]) -> Problem:
    what = f"{document.value.get('kind')} {document.value['metadata'].get('name')}"
    message = f"{what} is a hook ({', '.join(sorted(hooks))}): there is no installation here, only what should be there"
    hint = "turn it off by the chart's values; or say helm.hooks: skip (leave hooks out) or apply (as any other object)"
    return made.told(document.problem((), message, hint))


def _as_kubernetes_reads(document: Document) -> Document:
    """Templates are written for YAML 1.1, and their authors are elsewhere: yes is true, and 0644 octal."""
    value = document.value
    for path, word in document.loose.items():
        value = _with(value, path, older(word))
    return replace(document, value=value, loose={})


def _with(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: _with(value[path[0]], path[1:], new)}
    number = int(path[0])
    return (*value[:number], _with(value[number], path[1:], new), *value[number + 1 :])


_PLACE = re.compile(r"([\w.@+-]+/[^\s:()\"'`]+?\.[\w]+)(?::(\d+))?(?=[:)\s]|$)")
_POINTER = re.compile(r"at '/([^']*)'")
_MISSING = re.compile(r"missing in charts/ directory: ([\w.-]+)")
_LOOK = "look closer with helm template, and the same values"


def _blamed(at: Place, error: Invalid) -> Problem:
    """The problem where helm says it is: the last file it names, the value its schema refuses, or the workload. What
    is refused before helm sees it, or without its words, has a hint of its own."""
    said = error.message
    if error.hint:
        return at.problem(("helm", "chart"), said, error.hint)
    message = f"helm refuses it: {said if len(said) <= _LONGEST else f'{said[: _LONGEST - 3]}...'}"
    if _EACH_TIME in said:
        return _random(at, said)
    if pointer := _POINTER.search(said):
        keys: Path = tuple(int(k) if k.isdigit() else k for k in pointer[1].split("/"))
        return at.problem(("helm", "values", *keys), message, "the chart's values.schema.json says what it takes")
    if (lost := _MISSING.search(said)) and (file := at.file_of(f"/{CHART}")):
        line = _line(at.files[file], lost[1])
        return Problem(file, line, 1, "", message, "run `helm dependency update` there, and commit charts/")
    for name, line in reversed(_PLACE.findall(said)):
        if file := at.file_of(name):
            return Problem(file, int(line or 1), 1, "", message, _LOOK)
    return at.problem(("helm",), message, _LOOK)


def _random(at: Place, said: str) -> Problem:
    hint = "give it that value: most charts take one, or the name of an existing Secret; encrypt it with SOPS"
    for name, _ in _PLACE.findall(said):
        file = at.file_of(name)
        for number, line in enumerate(at.files[file].decode(errors="replace").splitlines() if file else (), 1):
            if (found := _RANDOM.search(line)) and "{{" in line:
                return Problem(file or "", number, 1, "", f"{found[0]} makes this chart something else each time", hint)
        if file:
            return Problem(file, 1, 1, "", said, hint)
    return at.problem(("helm",), said, hint)


def _line(text: bytes, word: str) -> int:
    lines = text.decode(errors="replace").splitlines()
    return next((n for n, line in enumerate(lines, 1) if re.search(rf"\bname:\s*[\"']?{re.escape(word)}\b", line)), 1)


def name_of(workload: Workload) -> str:
    """What is rendered, as people call it."""
    chart = workload.helm.chart if workload.helm else None
    return f"{chart.name} {chart.version}" if chart else posixpath.normpath(workload.path)
