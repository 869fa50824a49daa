"""JSON Schemas of the desired kinds, for editors: made from the very types that validate.

A key that the fleet's defaults may give is not required here: an editor sees one file, and would mark what is right.
What is complete, `reconciler validate` knows.
"""

from __future__ import annotations

from typing import Any

from ..model.desired import Application, Autoscale, Cluster, ClusterSpec, Environment, Fleet

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
KINDS: dict[str, type[Cluster] | type[Environment] | type[Application] | type[Autoscale] | type[Fleet]] = {
    "application": Application,
    "autoscale": Autoscale,
    "cluster": Cluster,
    "environment": Environment,
    "fleet": Fleet,
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind, by its file's name without the ending."""
    return {name: _schema(name) for name in KINDS}


def _schema(name: str) -> dict[str, Any]:
    made: dict[str, Any] = KINDS[name].model_json_schema(by_alias=True)
    if name in ("cluster", "fleet"):
        whole = ClusterSpec.model_json_schema(by_alias=True)
        definitions = {**made.get("$defs", {}), **whole.pop("$defs"), "ClusterSpec": whole}
        made["$defs"] = {key: _partial(one) if key in _LAYERED else one for key, one in sorted(definitions.items())}
    if name == "fleet":
        defaults = {"$ref": "#/$defs/ClusterSpec", "default": {}}
        made["$defs"]["FleetSpec"]["properties"]["defaults"] = defaults
    return {"$schema": _DRAFT, **made}


# Mappings of a cluster that are merged with the fleet's. Entries of lists are replaced whole, so theirs stay required.
_LAYERED = ("ClusterSpec", "Ssh", "Network", "ControlPlane", "Bastion", "Access", "Kubernetes", "Guards", "Maintenance")


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "required"}
