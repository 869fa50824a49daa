"""No secret stands in git in plain text: what looks like one is refused by its key, and its value is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, NamedTuple

from ..errors import Problem
from . import excuses, stand_ins
from .yaml import Document, Path, Unreadable, parse, quoted

_SHOWN = 100
_SHORTEST_NUMBER = 6
_HINT = "encrypt it (`sops --encrypt --in-place {file}`), or refer to a Secret that is made on the cluster"
_HINT_TEMPLATE = (
    "a template holds none: take it from the chart's values, encrypted (helm.valuesFiles), or name a Secret that SOPS "
    "keeps or that is made on the cluster"
)
_HINT_ENVIRONMENT = "a template holds none: put it into a Secret of its own beside it, encrypted with `sops --encrypt`"
_OR_SAY_SO = f"; if it is none, say so on its line or above it: {excuses.SPELLING}"
_NO_REASON = "and the comment that it is none gives no reason"
_HINT_REASON = f"write the reason behind it: {excuses.SPELLING}"
_HINT_MANIFEST = "encrypt it: `sops --encrypt --encrypted-regex '^(data|stringData)$' --in-place {file}`"
_HINT_DESIRED = (
    "keep it in a Secret below manifests/, encrypted (`sops --encrypt`), and refer to that: nothing below desired/ is "
    "opened"
)
_ENVIRONMENTS = "manifests/environments/"
_DATA = "is a Secret's data in plain text"
_SEALED = re.compile(r"ENC\[AES256_GCM,data:[\w+/=]*,iv:[\w+/=]+,tag:[\w+/=]+,type:\w+\]")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SAYING = re.compile(
    r"(password|passwd|passphrase|token|apikey|privatekey|secretkey|secretaccesskey|encryptionkey|signingkey|masterkey"
    r"|accountkey|sharedkey|sharedaccesskey|connectionstring|clientkeydata)s?$|secret$"
)
_CONNECTS = re.compile(r"connectionstrings?$")
_SAYING_ALONE = {"pass", "pwd", "passwords", "psk"}
_NAMES_OF_SECRETS = re.compile(r"(existing|pull|tls|basicauth)secret$")  # fields that hold a Secret's name
_SECRET_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ENTRY = re.compile(r"[ \t]*(?:- )?[\"']?([\w.-]{1,100})[\"']?:[ \t]+(?:!!str[ \t]+)?([^#\s][^#]*)")
_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?([\w.-]{1,100})[ \t]*=[ \t]*([^#\s][^#]*)")
_FLAG = re.compile(r"--?([\w.-]+)=(.+)", re.DOTALL)


class _Form(NamedTuple):
    """What a kind of secret always looks like. `sign` is in every one of them, and quick to look for."""

    name: str
    sign: str
    pattern: re.Pattern[str]


_FORMS = (
    _Form(
        "a private key",
        "PRIVATE KEY",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            r"(?!(?:\s|\\n)*(?:\.\.\.|\u2026|[<*({\[]|x{3}|redacted|-----END))"  # one that is only spoken of
        ),
    ),
    _Form(
        "a private key",
        "LS0tLS1CRUdJTi",
        re.compile("LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFUR|BFQyBQUklWQVRF|BPUEVOU1NI|BFTkNSWVBURUQg)"),
    ),
    _Form("an age key", "AGE-SECRET-KEY-", re.compile(r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20}", re.IGNORECASE)),
    _Form("an AWS key", "IA", re.compile(r"(?<![0-9A-Za-z])(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])")),
    _Form("a GitHub token", "gh", re.compile(r"(?<!\w)gh[pousr]_[A-Za-z0-9]{36}")),
    _Form("a GitHub token", "github_pat_", re.compile(r"github_pat_[A-Za-z0-9_]{40}")),
    _Form("a GitLab token", "gl", re.compile(r"(?<![\w-])gl(?:pat|rt|dt|ptt|cbt)-[\w-]{20}")),
    _Form("a Slack token", "xox", re.compile(r"(?<![\w-])xox[abeprs]-[\w-]{10}")),
    _Form("a Slack webhook", "hooks.slack.com", re.compile(r"hooks\.slack\.com/services/T\w+/B\w+/\w{10}")),
    _Form("a JSON web token", "eyJ", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{10}")),
    _Form(
        "an OpenStack credential",
        "_",
        re.compile(
            r"(?:application_credential_secret|os_password)[\"']?[ \t]*[:=][ \t]*[\"']?(?!redacted\b)[^\s$<{\"']",
            re.IGNORECASE,
        ),
    ),
    _Form(
        "an OpenStack password",
        "auth_url",
        re.compile(r"^[ \t]*[\"']?password[\"']?[ \t]*[:=][ \t]*[\"']?[^\s$<{\"']", re.IGNORECASE | re.MULTILINE),
    ),
    _Form("a kubeconfig's key", "client-key-data", re.compile(r"client-key-data[\"']?[ \t]*:[ \t]*[\"']?[^\s$<{\"']")),
    _Form(
        "a URL with a password",
        "://",
        re.compile(
            r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@]*:(?!\*+@|\$[({]|\$[A-Z_]+@|%\(|<|\{\{|x{3,}@|\W?redacted\W?@)[^\s/@]+@",
            re.IGNORECASE,
        ),
    ),
)


def check(document: Document, text: bytes = b"") -> list[Problem]:
    """Everything in the document that looks like a secret in plain text, at its key; `text` is the file's, whose
    comments may say of a line that it is none. Never says what the value is."""
    lines = _Lines(text)
    problems = (document.problem(path, said, _hint(document.file, said)) for path, said in _found(document))
    return list(islice((left for problem in problems if (left := lines.unexcused(problem))), _SHOWN))


def check_text(file: str, text: bytes, *, assignments: bool = False) -> list[Problem]:
    """The same for what is no YAML, such as a template before it is filled in: line by line. With `assignments`, also
    those of the form KEY=value."""
    lines, template = _Lines(text), b"{{" in text or b"{%" in text
    problems = (problem for problem, _ in _in_lines(file, lines.all, assignments, template))
    return list(islice((left for problem in problems if (left := lines.unexcused(problem))), _SHOWN))


def excused(file: str, text: bytes) -> frozenset[str]:
    """The values, and the lines, that comments of the file say are no secrets: programs pass them on without the
    comments."""
    lines, values = _Lines(text), set[str]()
    try:
        for document in parse(file, text):
            for path, _ in _found(document):
                if lines.reason(document.problem(path, "").line):
                    values.add(str(_at(document.value, path)).strip())
    except Unreadable:
        values.clear()
    for problem, value in _in_lines(file, lines.all, assignments=True, template=True):
        if lines.reason(problem.line):
            values |= {value, excuses.without(lines.all[problem.line - 1])}
    return frozenset(values - {""})


def unexcused(document: Document, known: frozenset[str]) -> list[Problem]:
    """What `check` says of what a program made, but for what is `known` to be no secret."""
    return [
        document.problem(path, said, _hint(document.file, said))
        for path, said in islice(_found(document), _SHOWN)
        if not _is_known(_at(document.value, path), known)
    ]


def _is_known(value: Any, known: frozenset[str]) -> bool:
    text = str(value).strip()
    if text in known:
        return True
    lines = text.splitlines()
    left = [line for line in lines if line.strip() not in known and excuses.without(line) not in known]
    return len(left) < len(lines) and form_of("\n".join(left)) is None


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


class _Lines:
    """The lines of a file, and what their comments say of secrets."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    @cached_property
    def all(self) -> list[str]:
        return self._text.decode(errors="replace").split("\n")

    def reason(self, number: int) -> str | None:
        return excuses.reason(self.all, number)

    def unexcused(self, problem: Problem) -> Problem | None:
        """The problem, unless a comment says why it is none."""
        reason = self.reason(problem.line)
        if reason is None:
            return problem
        return None if reason else replace(problem, message=f"{problem.message}, {_NO_REASON}", hint=_HINT_REASON)


def _in_lines(file: str, lines: Sequence[str], assignments: bool, template: bool) -> Iterator[tuple[Problem, str]]:
    """What looks like a secret, line by line, each with its value, where that can be told."""
    for number, line in enumerate(lines, 1):
        entry = _ENTRY.match(line) or (_ASSIGNMENT.match(line) if assignments else None)
        value = entry[2].strip("\"', \t\r") if entry else ""
        if form := form_of(line):
            said = f"looks like {form} in plain text"
            yield Problem(file, number, 1, "", said, _hint(file, form, template=template)), value
        elif entry and _plain(entry[1], value):
            said = f"{quoted(entry[1])} looks like a secret in plain text"
            yield Problem(file, number, entry.start(1) + 1, "", said, _hint(file, said, template=template)), value


def _hint(file: str, said: str, *, template: bool = False) -> str:
    comments = "" if file.endswith(".json") else _OR_SAY_SO
    if file.startswith("desired/"):
        return _HINT_DESIRED + comments
    if template:
        return (_HINT_ENVIRONMENT if file.startswith(_ENVIRONMENTS) else _HINT_TEMPLATE) + comments
    return (_HINT_MANIFEST if said == _DATA else _HINT).format(file=file) + comments


def says_secret(path: Path) -> bool:
    """Whether the key at the path's end says that its value is secret: password, apiKey, DB_TOKEN."""
    return _says(_key(path)[-100:])


def form_of(text: str) -> str | None:
    """Which kind of secret the text unmistakably holds, in words; None when it holds none."""
    return next((form.name for form in _FORMS if form.sign in text and form.pattern.search(text)), None)


def sealed(value: object) -> bool:
    """Whether SOPS encrypted the value."""
    return isinstance(value, str) and bool(_SEALED.fullmatch(value))


@lru_cache(maxsize=4096)
def _says(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    joined = "".join(words)
    if not words or _NAMES_OF_SECRETS.search(joined):
        return False
    return words[-1] in _SAYING_ALONE or bool(_SAYING.search(joined))


def _found(document: Document) -> Iterator[tuple[Path, str]]:
    value = document.value
    encrypted = isinstance(value, dict) and isinstance(value.get("sops"), dict) and bool(value["sops"].get("mac"))
    yield from _below(value, (), encrypted)


def _below(value: Any, path: Path, encrypted: bool) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        yield from _mapping(value, path, encrypted)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _below(item, (*path, index), encrypted)
    elif said := _said(path, value):
        yield path, said


def _mapping(value: dict[str, Any], path: Path, encrypted: bool) -> Iterator[tuple[Path, str]]:
    skip: set[str] = set()
    if value.get("kind") == "Secret":
        skip = {"data", "stringData"}
        for part in sorted(skip):
            yield from _secret(value.get(part), (*path, part), encrypted)
    name, given = value.get("name", value.get("key")), value.get("value")
    if isinstance(name, str) and _plain(name, given):  # an entry of a list such as env
        yield (*path, "value"), f"{quoted(name)} has a secret in plain text"
        skip.add("value")
    if "remoteRef" in value:  # an ExternalSecret's: the name of a key
        skip.add("secretKey")
    if path[:-1] == ("spec", "secrets") and "key" in value and _names_a_secret(value.get("secret")):  # an Application's
        skip.add("secret")
    for key, item in value.items():
        if key not in skip:
            yield from _below(item, (*path, key), encrypted)


def _secret(value: Any, path: Path, encrypted: bool) -> Iterator[tuple[Path, str]]:
    """What stands in a Secret is secret, whatever its key."""
    if not isinstance(value, dict):
        if value:
            yield path, _DATA
        return
    for key, item in value.items():
        if item is None or item == "" or (isinstance(item, str) and stand_ins.elsewhere(item)):
            continue
        if not sealed(item):
            yield (*path, key), _DATA
        elif not encrypted:
            yield (*path, key), "is encrypted, but what `sops` needs to decrypt it is missing from the document"


def _said(path: Path, value: Any) -> str | None:
    """What is wrong with a single value, if anything."""
    if isinstance(value, str) and (form := form_of(value)):
        return f"looks like {form} in plain text"
    if _plain(_key(path), value) and not _is_a_name(path):
        return "looks like a secret in plain text"
    flag = _FLAG.fullmatch(value) if isinstance(value, str) and value.startswith("-") else None
    return "is an option with a secret in plain text" if flag and _plain(flag[1], flag[2]) else None


def _names_a_secret(value: Any) -> bool:
    """Whether it may be the name of a Secret."""
    return isinstance(value, str) and bool(_SECRET_NAME.fullmatch(value)) and not form_of(value)


def _is_a_name(path: Path) -> bool:
    """An annotation says which Secret to use; what a SealedSecret holds is encrypted."""
    inside = set(path[:-1])
    said_elsewhere = inside & {"annotations", "labels"} and _key(path).lower().endswith("secret")
    return bool(said_elsewhere) or "encryptedData" in inside


def _plain(key: str, value: Any) -> bool:
    """Whether the key says secret and the value is it: not where it is to be had, no count of tokens."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not _says(key[-100:]):
        return False
    text = str(value).strip()
    if text.isdigit() and len(text) < _SHORTEST_NUMBER and "pass" not in key.lower():
        return False
    if sealed(text) or stand_ins.stands_for_one(text) or stand_ins.names_a_variable(text, _says):
        return False
    connects = _CONNECTS.search("".join(_WORDS.findall(key)).lower())
    return not (connects and stand_ins.only_connects(text, _says))


def _key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")
