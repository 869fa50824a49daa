"""Which names the images had that machines were made from: a cloud's operators rename and delete them every month.

An image's content never changes under its id, so what was once called A is A for git, whatever it is called now. The
memory is a file of the observed branch, and this machine's own copy of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from .. import files
from ..model.naming import IMAGE_CALLED, IMAGE_ID, IMAGE_NAMED
from ..model.resource import Expected, Key, Known, Listing, Resource
from ..ports import Repository
from ..spec.yaml import Unreadable
from ..yaml_text import dump
from . import shapes

RECORD = "images.yaml"
# Names by image id.
Names: TypeAlias = Mapping[str, frozenset[str]]


def remembered(repository: Repository, state: Path, cluster: str) -> Names:
    """What the observed branch and this machine remember. A record that can't be read counts as none."""
    path = f"{cluster}/{RECORD}"
    text = repository.observed(cluster).get(path, b"")
    shared = read(text, lambda why: repository.disregard(path, text, why))
    try:
        own = read((state / path).read_bytes(), lambda _: None)
    except OSError:
        own = {}
    return {id: shared.get(id, frozenset()) | own.get(id, frozenset()) for id in {*shared, *own}}


def called(listing: Listing, wanted: Iterable[Resource], known: Names, applied: Expected) -> Listing:
    """The servers, each made from the image that git names wherever that was its name once. Of an image that is gone
    and that nobody remembers, the record of what was `applied` says what git called it."""
    if not isinstance(listing, Known):
        return listing
    asked = {r.key: r.fields.get("image") for r in wanted if r.kind == "server"}
    before = {r.key: r.fields.get("image") for c in applied.components for r in applied.resources(c)}
    return Known(tuple(_called(server, asked, known, before) for server in listing.resources))


def _called(server: Resource, asked: Mapping[Key, object], known: Names, before: Mapping[Key, object]) -> Resource:
    image, name = str(server.fields.get(IMAGE_ID) or ""), asked.get(server.key)
    if not image or not isinstance(name, str) or server.fields.get("image") == name:
        return server
    names = {*known.get(image, ()), server.fields.get(IMAGE_NAMED)}
    if server.fields.get("image") == image and not known.get(image):
        names.add(str(before.get(server.key)))
    if name not in names:
        return server
    today = server.fields.get("image")
    return replace(server, fields={**server.fields, "image": name, IMAGE_CALLED: "" if today == image else today})


def text(listing: Listing, known: Names) -> str:
    """What to remember of the servers that are there: the names of the images they were made from, by id. Empty for
    nothing. What can't be listed is remembered as it was."""
    if not isinstance(listing, Known):
        return _text(known)
    names: dict[str, frozenset[str]] = {}
    for server in listing.resources:
        image, name = server.fields.get(IMAGE_ID), server.fields.get("image")
        if isinstance(image, str) and image:
            own = {name} if isinstance(name, str) and name != image else set()
            names[image] = names.get(image, frozenset()) | known.get(image, frozenset()) | own
    return _text({image: called for image, called in names.items() if called})


def remember(state: Path, cluster: str, content: str) -> None:
    """Keep a copy on this machine. Raises Transient when that can't be written."""
    file = state / cluster / RECORD
    if content and not (file.is_file() and file.read_text(encoding="utf-8") == content):
        files.write(file, content)


def _text(names: Names) -> str:
    return dump({image: sorted(called) for image, called in sorted(names.items())}) if names else ""


def read(content: bytes, doubt: shapes.Doubt) -> Names:
    """What a record remembers. One that can't be read counts as none, and `doubt` hears why."""
    try:
        read = shapes.read(shapes.IMAGES, RECORD, content, {})
    except Unreadable as error:
        doubt(str(error))
        return {}
    return {image: frozenset(names) for image, names in read.items()}
