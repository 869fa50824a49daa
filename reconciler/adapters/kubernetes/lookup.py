"""Single objects as they are live, for what others are told of them: an address, a host, a credential."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ...errors import Permanent, Transient
from ...model.resource import Unknown
from ...ports import Manifest
from .connection import Connection, NotFound
from .kinds import Discovery, path_of

_WORKERS = 8


def lookup(
    connection: Connection, discovery: Discovery, asked: Sequence[Manifest]
) -> tuple[Manifest | Unknown | None, ...]:
    """Each of `asked` (apiVersion, kind, name, namespace) as it is live; None where there is none."""

    def one(manifest: Manifest) -> Manifest | Unknown | None:
        try:
            kind = discovery.kind(manifest["apiVersion"], manifest["kind"])
            return connection.get(path_of(manifest, kind)) if kind else None
        except NotFound:
            return None
        except (Transient, Permanent) as error:
            return Unknown(error.message, error.hint)

    if not asked:
        return ()
    with ThreadPoolExecutor(min(_WORKERS, len(asked)), thread_name_prefix="lookup") as pool:
        return tuple(pool.map(one, asked))
