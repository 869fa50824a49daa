"""What SOPS gets to see of a file: its content as it is, and of its metadata only what was read here, with the keys
that this machine may use. So a file names no program, no host and no account of its own choice, and nobody is asked for
what can be opened without them.

SOPS's own check, the MAC, is over the content: leaving out keys keeps it valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Invalid, Problem
from . import sealed
from .yaml import Document, Path, Unreadable, parse, quoted

CLOSED = "c2VhbGVk"  # stands for an encrypted value that is not opened; good as Base64, too
_KEY = "sops"
# Of stores.Metadata in SOPS's source: what decides how the content is read. A text of it is short but for the MAC.
_TEXTS = (
    *("mac", "version", "lastmodified", "unencrypted_suffix", "encrypted_suffix", "unencrypted_regex"),
    *("encrypted_regex", "unencrypted_comment_regex", "encrypted_comment_regex"),
)
_LONGEST = 4096
_MOST_KEYS = 100  # of one type in one group: each is tried
_WORD = re.compile(r"[\w.-]+")
_FOLDER = re.compile(r"(?!\.)[\w-][\w.-]*(/[\w-][\w.-]*)*")  # of no path that leads up
_HINT = "the settings of this machine say which keys it uses (sops: …); add one of those with `sops updatekeys {file}`"


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens files here: age's keys always, for they are files of this machine; of any other type those that are
    named, by fingerprint (pgp), ARN with "+role" where there is one (kms), resource (gcp_kms) or address (azure_kv,
    hc_vault)."""

    named: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def types(self) -> frozenset[str]:
        """The types beside age that are used at all."""
        return frozenset(kind for kind, names in self.named.items() if names)

    def __contains__(self, key: tuple[str, str]) -> bool:
        kind, name = key
        return kind == "age" or name in {_plain(kind, known) for known in self.named.get(kind, ())}


@dataclass(frozen=True, slots=True)
class _Type:
    """A type of keys: its fields, what they may hold, and which of them say whose key it is; `table` is a field that
    has texts by name."""

    fields: Mapping[str, re.Pattern[str] | None]
    name: Callable[[Mapping[str, str]], str]
    table: str = ""


_ENCRYPTED = {"enc": None, "created_at": None}
# What else there is, such as aws_profile, is left out: which credential is used is not for a file to say.
_TYPES = {
    "age": _Type({"recipient": None, "enc": None}, lambda key: key.get("recipient", "")),
    "pgp": _Type({"fp": _WORD, **_ENCRYPTED}, lambda key: key.get("fp", "")),
    "kms": _Type(
        {"arn": None, "role": None, **_ENCRYPTED},
        lambda key: "+".join(filter(None, (key.get("arn"), key.get("role")))),
        "context",
    ),
    "gcp_kms": _Type({"resource_id": None, **_ENCRYPTED}, lambda key: key.get("resource_id", "")),
    "azure_kv": _Type(
        {"vault_url": None, "name": _WORD, "version": _WORD, **_ENCRYPTED}, lambda key: key.get("vault_url", "")
    ),
    "hc_vault": _Type(
        {"vault_address": None, "engine_path": _FOLDER, "key_name": _FOLDER, **_ENCRYPTED},
        lambda key: key.get("vault_address", ""),
    ),
}


def reduced(file: str, text: bytes, keys: Keys) -> bytes:
    """The file as SOPS is to have it. Raises Invalid, at the metadata's line, for metadata that SOPS does not write and
    for a file that none of `keys` opens."""
    documents = _parsed(file, text)
    named = {number: _metadata(document, keys) for number, document in enumerate(documents) if _has(document)}
    changed = _written(file, text, documents, named)
    _compare(file, documents, _parsed(file, changed), named)
    return changed


def closed(file: str, text: bytes) -> bytes:
    """The file as it would be opened, with one and the same word for every encrypted value. Raises Invalid."""
    documents = _parsed(file, text)
    without = _written(file, text, documents, {n: None for n, document in enumerate(documents) if _has(document)})
    _parsed(file, without)
    return sealed.TOKEN.sub(CLOSED, without.decode()).encode()


def _written(
    file: str, text: bytes, documents: Sequence[Document], named: Mapping[int, Mapping[str, Any] | None]
) -> bytes:
    """The file with other metadata for some of its documents, or with none."""
    return _in_json(file, text, named.get(0)) if file.endswith(".json") else _in_yaml(documents, text, named)


def _parsed(file: str, text: bytes) -> list[Document]:
    try:
        return parse(file, text)
    except Unreadable as error:
        raise _refused(error.problem) from None


def _has(document: Document) -> bool:
    return isinstance(document.value, dict) and _KEY in document.value


def _metadata(document: Document, keys: Keys) -> dict[str, Any]:
    """What SOPS gets of one document's metadata. Raises Invalid."""
    given, at = document.value[_KEY], (_KEY,)
    if not isinstance(given, dict):
        raise _refused(document.problem(at, "is no metadata of SOPS", "restore the file from git, or encrypt it again"))
    made: dict[str, Any] = {}
    for name in (name for name in _TEXTS if given.get(name) is not None):
        made[name] = _text(document, (*at, name), given[name])
    for name, kind in (("mac_only_encrypted", bool), ("shamir_threshold", int)):
        if type(given.get(name)) is kind:
            made[name] = given[name]
    made |= _usable(document, at, given, keys)
    groups = _listed(document, (*at, "key_groups"), given)
    if groups:
        places = [(*at, "key_groups", number) for number in range(len(groups))]
        made["key_groups"] = [_usable(document, place, one, keys) for place, one in zip(places, groups, strict=True)]
    if not (made.keys() & _TYPES.keys() or any(made.get("key_groups", ()))):
        there = ", ".join(sorted(set(_named(given)))) or "nothing"
        message = f"is encrypted for {there}, and no such key is used here"
        raise _refused(document.problem(at, message, _HINT.format(file=document.file)))
    return made


def _usable(document: Document, at: Path, given: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """The keys of one group that may be tried, by type."""
    found: dict[str, Any] = {}
    for kind, type_ in _TYPES.items():
        for number, entry in enumerate(_listed(document, (*at, kind), given)):
            if (kind, _plain(kind, type_.name(_strings(entry)))) in keys:
                found.setdefault(kind, []).append(_entry(document, (*at, kind, number), entry, type_))
    return found


def _listed(document: Document, at: Path, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    entries = given.get(str(at[-1])) or ()
    if not isinstance(entries, tuple) or len(entries) > _MOST_KEYS or not all(isinstance(e, dict) for e in entries):
        raise _refused(document.problem(at, f"is no list of up to {_MOST_KEYS} keys"))
    return entries


def _entry(document: Document, at: Path, entry: Mapping[str, Any], type_: _Type) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, pattern in type_.fields.items():
        if entry.get(name) not in (None, ""):
            made[name] = _text(document, (*at, name), entry[name], pattern)
    if isinstance(table := entry.get(type_.table), dict) and table:
        made[type_.table] = {name: _text(document, (*at, type_.table, name), text) for name, text in table.items()}
    return made


def _text(document: Document, at: Path, value: object, pattern: re.Pattern[str] | None = None) -> str:
    most = 16 * _LONGEST if at[-1] == "enc" else _LONGEST
    if not isinstance(value, str) or len(value) > most or (pattern and not pattern.fullmatch(value)):
        raise _refused(document.problem(at, "is not what SOPS writes there"))
    return value


def _strings(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in entry.items() if isinstance(value, str)}


def _plain(kind: str, name: str) -> str:
    """The same key, however it is written: fingerprints in groups, addresses with a slash behind them."""
    return name.replace(" ", "").upper() if kind == "pgp" else name.rstrip("/")


def _named(given: Mapping[str, Any]) -> Iterator[str]:
    """The types of keys that the metadata names, known or not, for a message."""
    groups = given.get("key_groups")
    for one in (given, *(groups if isinstance(groups, tuple) else ())):
        for name, value in one.items() if isinstance(one, dict) else ():
            if isinstance(value, tuple) and value and name != "key_groups":
                yield quoted(name).strip("'")


def _in_json(file: str, text: bytes, metadata: Mapping[str, Any] | None) -> bytes:
    """Written again, since the program would also take {"Sops": …} for its own, and the last of two."""
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except ValueError:
        raise _refused(Problem(file, 1, 1, "", "is no JSON", "name it .yaml, or encrypt it again")) from None
    if not isinstance(value, dict):
        return text
    if any(name.casefold() == _KEY != name for name in value):
        raise _refused(Problem(file, 1, 1, "", "has a key that SOPS takes for its own", "rename it"))
    rest = {name: item for name, item in value.items() if name != _KEY}
    return json.dumps({**rest, **({_KEY: metadata} if metadata else {})}, ensure_ascii=False).encode()


def _in_yaml(documents: Sequence[Document], text: bytes, named: Mapping[int, Mapping[str, Any] | None]) -> bytes:
    """With other lines for the metadata of each document, which SOPS always writes as a block at the margin."""
    lines = text.decode("utf-8-sig").split("\n")
    for number in sorted(named, reverse=True):
        line, column = documents[number].positions[_KEY,]
        if column != 1:
            raise _refused(documents[number].problem((_KEY,), "is not where SOPS writes it: at the margin"))
        end = next((n for n in range(line, len(lines)) if lines[n][:1] not in ("", " ", "\t", "\r")), len(lines))
        metadata = named[number]
        instead = [] if metadata is None else [f"{_KEY}: {json.dumps(metadata)}"]
        lines[line - 1 : end] = [*instead, *([""] if end == len(lines) else [])]
    return "\n".join(lines).encode()


def _compare(file: str, before: list[Document], after: list[Document], named: Mapping[int, Mapping[str, Any]]) -> None:
    """Raises Invalid unless `after` is what was meant: a text may look like something else to who cuts it by lines."""
    wanted = [
        {**document.value, _KEY: _frozen(named[number])} if number in named else document.value
        for number, document in enumerate(before)
    ]
    if [document.value for document in after] != wanted:
        line, column = next((d.positions[_KEY,] for d in before if _has(d)), (1, 1))
        raise _refused(Problem(file, line, column, _KEY, "is not written as SOPS writes it", "encrypt the file again"))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _refused(problem: Problem) -> Invalid:
    return Invalid(f"{problem.file} can't be opened", hint=problem.hint, problems=[problem])
