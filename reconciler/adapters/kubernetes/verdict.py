"""What a manifest would change, in the API server's own eyes: a dry run beside the live object, of one moment."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ...errors import Transient
from ...model.resource import Fields
from .additions import Added, Names, additions, judged
from .books import Place
from .connection import APPLY_PATCH, Conflict, Connection, Forbidden, Rejected
from .fields import HIDDEN, all_fields, differing, differing_as_asked
from .fingerprint import same_but_status, version
from .kinds import Kind, path_of
from .leftover import Leftover
from .refused import dropped, freed, spelled

_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
# What stands for a field where the server says no and does not say to what.
_REFUSED = "(refused)"

Object: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a manifest would change of the live object that was seen: the differing fields on both sides; what has to go
    first, or the server refuses it; and what others added there, by path, which no apply changes by itself. `idle` are
    places that others named, where the server would put the same."""

    live: Object
    ours: Fields
    theirs: Fields
    gone: tuple[Leftover, ...] = ()
    added: Mapping[str, Added] = field(default_factory=dict)
    idle: frozenset[Place] = frozenset()


def verdict(connection: Connection, kind: Kind, manifest: Object, live: Object, names: Names) -> Verdict:
    """Dry run and object are of one moment: the answer says of which version it was made. A controller that writes a
    status ten times a second does not keep them apart, for the rest of the object is told from its metadata.

    Raises NotFound when it goes away meanwhile, Transient when it never holds still, Permanent where the server's books
    can't be read.
    """
    live = {"apiVersion": kind.api_version, "kind": kind.name} | live  # items of a list don't say
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            made = _dry_run(connection, kind, manifest, live, names.manager)
            now = live if version(made) == version(live) else _again(connection, kind, live)
            if version(made) == version(now) or same_but_status(now, live):
                others = judged(connection, kind, made, now, names)
                added = additions(others, made, now, names)
                return Verdict(now, *differing(made, now), added=added, idle=others.idle)
        except (Rejected, Forbidden) as error:
            refused = _refused(connection, kind, manifest, live, names.manager, error)
            with contextlib.suppress(Conflict):
                others = judged(connection, kind, live, live, names, all_fields(manifest))
                return replace(refused, added=additions(others, live, live, names))
            now = _again(connection, kind, live)
        except Conflict:  # deleted and made again, or written meanwhile
            now = _again(connection, kind, live)
        live = now
    raise Transient("changes too fast to be compared", hint="the next cycle looks again")


def _again(connection: Connection, kind: Kind, live: Object) -> Object:
    now = connection.get(path_of(live, kind))
    return {"apiVersion": kind.api_version, "kind": kind.name} | dict(now)


def _dry_run(connection: Connection, kind: Kind, manifest: Object, live: Object, manager: str) -> Object:
    # With the uid, so that what was deleted meanwhile is not tried as something new.
    answer = connection.request(
        "PATCH",
        path_of(manifest, kind),
        query={"dryRun": "All", **apply_query(manager, force=True)},
        body={**manifest, "metadata": {**manifest["metadata"], "uid": live["metadata"]["uid"]}},
        content_type=APPLY_PATCH,
    )
    return dict(answer)


def apply_query(manager: str, *, force: bool) -> dict[str, str]:
    return {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}


def _refused(
    connection: Connection, kind: Kind, manifest: Object, live: Object, manager: str, error: Rejected | Forbidden
) -> Verdict:
    """The server would refuse the change: perhaps only for what it has to take the place of. A field that can't be
    changed in place, a mistake in the manifest, a quota are differences all the same, and apply will say why they
    can't be repaired. A missing right is raised."""
    made = manifest
    if isinstance(error, Rejected):
        if way := freed(connection, kind, manifest, live, error):
            return Verdict(live, *differing(way[0], live, dropped(manifest, live, manager)), way[1])
        made = spelled(connection, kind, manifest)
    ours, theirs = differing_as_asked(manifest, live, made)
    if not ours and isinstance(error, Forbidden):
        raise error
    said = HIDDEN if manifest["kind"] == "Secret" else error.message
    return Verdict(live, ours, theirs) if ours else Verdict(live, {_REFUSED: said}, {_REFUSED: None})
