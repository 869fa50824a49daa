"""Kubernetes objects that somebody changed: a field of the manifest, or of the Application, that asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...model.change import Class, Difference
from ...model.desired import Workload
from ...model.resource import Component, Key
from .. import helm, kustomize
from ..edit import Edit
from ..render.paths import place
from ..secrets import says_secret
from ..tree import below
from ..yaml import Path, Unreadable, parse
from .scene import Adoption, Found, Scene


def object_(scene: Scene, d: Difference) -> Found:
    if says_secret((d.field,)) or d.key.kind == "Secret":
        return "it may be a secret: those are changed with sops"
    if d.added:
        return _addition(scene, d)
    if d.cls is Class.UNMANAGED:
        return "no file asks for it: write one, or let apply delete it"
    if d.component is Component.APPLICATIONS:
        return _application(scene, d)
    for file, number, manifest in _manifests(scene):
        if _is(manifest, d.key, scene):
            return _in_manifest(file, number, manifest, d)
    return "it is made from a template, or by kustomize or helm: change what that is given"


def _addition(scene: Scene, d: Difference) -> str:
    """Where a field is written that no file has yet is for people: it may need what stands around it."""
    place = next(
        (file for file, _, manifest in _manifests(scene) if _is(manifest, d.key, scene)), "what it is made from"
    )
    by = f" by {d.owner}" if d.owner else ""
    return f"it was added{by}, and adopt adds no fields: write it into {place}, ignore it, or let apply take it out"


def _in_manifest(file: str, number: int, manifest: Mapping[str, Any], d: Difference) -> Found:
    if not d.field:
        return "delete it from its file by hand: other documents may stand in it"
    path = place(manifest, d.field)
    if path is None:
        return f"{file} does not say it: apply takes it back"
    if d.live is None:
        return f"{file} asks for what is gone: apply sets it again"
    said = f"{d.field} of {d.key} becomes {d.live}"
    return Adoption((d,), file, (Edit(path, d.live, document=number),), said)


def _manifests(scene: Scene) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Every document of the workloads' folders that is plain YAML."""
    plain = [w for w in scene.desired.cluster.spec.workloads if not _made(scene, w)]
    files = {file: text for w in plain for file, text in below(scene.files, w.path).items()}
    for file, text in sorted(files.items()):
        if not file.endswith((".yaml", ".yml")):
            continue
        try:
            documents = parse(file, text)
        except Unreadable:
            continue
        yield from ((file, n, d.value) for n, d in enumerate(documents) if isinstance(d.value, dict))


def _made(scene: Scene, workload: Workload) -> bool:
    return helm.is_chart(scene.files, workload) or kustomize.file_of(scene.files, workload.path) is not None


def _is(manifest: Mapping[str, Any], key: Key, scene: Scene) -> bool:
    metadata = manifest.get("metadata")
    if manifest.get("kind") != key.kind or not isinstance(metadata, dict):
        return False
    spaces = _spaces(scene, metadata.get("namespace"))
    return key.name in {str(metadata.get("name")), *(f"{space}/{metadata.get('name')}" for space in spaces)}


def _spaces(scene: Scene, own: Any) -> Iterable[str]:
    return [str(own)] if own else [w.namespace for w in scene.desired.cluster.spec.workloads]


def _application(scene: Scene, d: Difference) -> Found:
    """The fields of an Application that its Deployment shows."""
    name = d.key.name.rpartition("/")[2]
    document = scene.desired.documents.get(("Application", name))
    if document is None or d.key.kind != "Deployment" or d.live is None:
        return "nothing in git decides it alone: apply sets it back"
    key: Path | None = None
    if d.field == "spec.replicas":
        key = ("spec", "replicas")
    elif d.field.endswith("].image"):
        key = ("spec", "image")
    if key is None:
        return "nothing in git decides it alone: apply sets it back"
    said = f"{key[-1]} of application {name} becomes {d.live}"
    return Adoption((d,), document.file, (Edit(key, d.live),), said)
