"""ssh's list of the host keys that it insists on. Behind each key that somebody vouched for stands who it was; what ssh
itself adds at first contact has nothing behind it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from ... import files
from ...model.host_key import HostKey, Source, Vouched, machines, parse
from ...ports import Place

ANOTHER = "another machine answers there than before: find out why before its key is trusted"
_CURES = {
    Source.RECORD: "if the machine was given a new key, write that in its place into {file}, and for other machines "
    "into hosts.yaml on the observed branch by a signed commit",
    Source.CONSOLE: "if the machine was given a new key, write that in its place into {file}",
    Source.CONTACT: "if it was reinstalled, forget its key: ssh-keygen -R '{name}' -f {file}",
}
_CHANGED = re.compile(r"Host key for (\S{1,300}) has changed")  # ssh's own words, whose ever the key is
_PORT = 22  # the one that ssh does not write down


def read(file: Path, places: Collection[Place]) -> dict[Place, Vouched]:
    """The keys of these places, and who vouched for them; a place of which there is none is left out."""
    names = {_name(place): place for place in places}
    keys: dict[Place, list[HostKey]] = {}
    sources: dict[Place, Source] = {}
    for line in _lines(file):
        host, _, rest = line.partition(" ")
        for place in (names[name] for name in host.split(",") if name in names):
            if key := parse(rest):
                keys.setdefault(place, []).append(key)
                sources[place] = _source(rest)
    several = {place: machines(there) for place, there in keys.items()}
    return {place: Vouched(there, sources[place]) for place, there in several.items() if there}


def otherwise(file: Path, place: Place) -> str:
    """What a machine that shows another key at this place contradicts, and what to do: a hint."""
    vouched = read(file, [place]).get(place)
    if vouched is None:
        return ANOTHER
    says = f"{vouched.source} says {vouched.fingerprints}"
    cure = _CURES[vouched.source].format(name=_name(place), file=file)
    return f"{ANOTHER} ({says}); {cure}"


def changed(text: str, places: Mapping[str, Place]) -> str | None:
    """Which of the machines at these places, by name, has the key that ssh complains of; None where it names none."""
    complained = {match[1] for match in _CHANGED.finditer(text)}
    return next((machine for machine, place in places.items() if _name(place) in complained), None)


def pin(file: Path, keys: Mapping[Place, Vouched]) -> None:
    """Let these be the only keys of these places. Raises Transient where that can't be written."""
    names = {_name(place) for place in keys}
    lines = _lines(file)
    kept = [line for line in lines if not set(line.partition(" ")[0].split(",")) & names]
    pinned = [_line(place, key, vouched.source) for place, vouched in sorted(keys.items()) for key in vouched.keys]
    if sorted([*kept, *pinned]) != sorted(lines):
        files.write(file, "".join(f"{line}\n" for line in [*kept, *pinned]))


def forget(file: Path, addresses: Collection[str]) -> None:
    """Drop the keys of all places with these addresses. Raises Transient where that can't be written."""
    lines = _lines(file)
    kept = [line for line in lines if not _addresses(line) & set(addresses)]
    if kept != lines:
        files.write(file, "".join(f"{line}\n" for line in kept))


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []


def _line(place: Place, key: HostKey, source: Source) -> str:
    return f"{_name(place)} {key}" + ("" if source is Source.CONTACT else f" {source.name.lower()}")


def _source(rest: str) -> Source:
    """Of `ssh-ed25519 AAAA… console`."""
    word = rest.rpartition(" ")[2].upper()
    return Source[word] if word in Source.__members__ else Source.CONTACT


def _name(place: Place) -> str:
    address, port = place
    return address if port == _PORT else f"[{address}]:{port}"


def _addresses(line: str) -> set[str]:
    """The hosts a line is about: `a,[b]:2222 ssh-ed25519 …` names a and b."""
    return {re.sub(r"^\[(.*)\]:\d+$", r"\1", name) for name in line.partition(" ")[0].split(",")}
