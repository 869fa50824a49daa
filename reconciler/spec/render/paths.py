"""Places in a manifest as differences name them: `spec.template.spec.containers[web].image`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without(manifest: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The manifest without what is at `path`; as it is where there is no such place."""
    return dict(_without(manifest, path))


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


def _without(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return {k: kept for k, v in value.items() if (kept := _item(v, path, str(k))) is not _GONE}
    if isinstance(value, (list, tuple)):
        return [kept for n, v in enumerate(value) if (kept := _item(v, path, f"[{_label(value, n)}]")) is not _GONE]
    return value


_GONE = object()


def _item(value: Any, path: str, name: str) -> Any:
    """Keys may hold dots themselves (`metadata.labels.app.kubernetes.io/name`), so paths are matched, not split."""
    if path == name:
        return _GONE
    rest = path.removeprefix(name)
    if rest == path or not rest.startswith((".", "[")):
        return value
    return _without(value, rest.removeprefix("."))


def _label(items: Any, number: int) -> str:
    """An item's name where every item has one of its own, else its number."""
    names = [str(i["name"]) for i in items if isinstance(i, Mapping) and "name" in i]
    return names[number] if len(set(names)) == len(items) else str(number)
