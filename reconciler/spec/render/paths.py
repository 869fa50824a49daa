"""Places in a manifest as differences name them: `spec.template.spec.containers[web].image`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def place(manifest: Mapping[str, Any], path: str) -> tuple[str | int, ...] | None:
    """Where in the manifest `path` points, as keys and numbers; None where it points nowhere."""
    return _place(manifest, path)


def _place(value: Any, path: str) -> tuple[str | int, ...] | None:
    if isinstance(value, Mapping):
        named: list[tuple[str | int, str]] = [(str(key), str(key)) for key in value]
    elif isinstance(value, (list, tuple)):
        named = [(n, f"[{_label(value, n)}]") for n in range(len(value))]
    else:
        return None
    for key, name in named:
        rest = path.removeprefix(name)
        if path == name:
            return (key,)
        if rest != path and rest.startswith((".", "[")):
            below = _place(value[key], rest.removeprefix("."))
            if below is not None:
                return (key, *below)
    return None


def _label(items: Any, number: int) -> str:
    """An item's name where every item has one of its own, else its number."""
    names = [str(i["name"]) for i in items if isinstance(i, Mapping) and "name" in i]
    return names[number] if len(set(names)) == len(items) else str(number)
