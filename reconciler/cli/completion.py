"""What a shell offers when somebody presses Tab. It has a moment, asks nobody, and never fails."""

from __future__ import annotations

from pathlib import Path

import typer

from ..spec.load import FOLDER


def cluster_options(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same for an option that is called `--cluster` and may be given again."""
    given = set(ctx.params.get("cluster") or ())
    return [name for name in clusters_of(ctx, incomplete) if name not in given]


def clusters_of(ctx: typer.Context, incomplete: str) -> list[str]:
    """The clusters whose name begins like that, by their folders in the clone that -C names."""
    repo = Path(str(ctx.find_root().params.get("repo") or "."))
    named = set(ctx.params.get("clusters") or ())
    try:
        folders = [folder.name for folder in (repo / FOLDER).iterdir() if (folder / "cluster.yaml").is_file()]
    except OSError:
        return []
    return sorted(name for name in folders if name.startswith(incomplete) and name not in named)
