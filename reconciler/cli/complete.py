"""What a shell offers behind the Tab key: the names of the clusters in this clone."""

from __future__ import annotations

from pathlib import Path

import typer

_DESIRED = "desired"


def clusters(ctx: typer.Context, incomplete: str) -> list[str]:
    """The clusters of the working tree whose names begin so; none where there is no such folder: a shell is told no
    error."""
    root = ctx
    while root.parent is not None:
        root = root.parent  # type: ignore[assignment]
    repo = Path(str(root.params.get("repo") or "."))
    try:
        names = sorted(folder.parent.name for folder in (repo / _DESIRED).glob("*/cluster.yaml"))
    except OSError:
        return []
    given = set(ctx.params.get("clusters") or ())
    return [name for name in names if name.startswith(incomplete) and name not in given and name.isprintable()]
