"""The committed schemas are the model's, the committed files follow them, and what they refuse is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.spec.schema import KINDS, schemas
from reconciler.spec.yaml import parse
from tests.unit.examples import CLUSTER

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "desired").rglob("*.yaml"))


@pytest.mark.parametrize("name", KINDS)
def test_the_committed_schema_is_the_models(name: str) -> None:
    written = (ROOT / "schema" / f"{name}.json").read_text()
    assert written == json.dumps(schemas()[name], indent=2) + "\n", "renew it: reconciler schema --write schema"
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_committed_files_name_their_schema_and_follow_it(file: Path) -> None:
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
    assert found, "an editor needs the line to check it"
    schema = (file.parent / found[1]).resolve()
    assert schema.parent == ROOT / "schema"
    (document,) = parse(file.name, file.read_bytes())
    assert schema.stem == str(document.value["kind"]).lower()
    jsonschema.validate(plain(document.value), json.loads(schema.read_text()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: Cluster", "kind: Clutser"),
        ("  cloud:", "  clud:"),
        ("count: 1", "count: 2"),
        ("count: 2", "count: two"),
        ("count: 2", "count: -1"),
        ("floatingIps: true", "floatingIps: yes"),
        ("name: worker", "name: Worker"),
        ('version: "1.36.3"', "version: 1.36"),
        ('version: "1.36.3"', 'version: "v1.36.3"'),
        ("flavor: m1.medium", "flavour: m1.medium"),
        ("labels: {team: blue}", "labels: [team]"),
        ("  access:\n", "  maintenance: {windows: [{start: '25:00', hours: 1}]}\n  access:\n"),
        ("  access:\n", "  guards: {approvals: [{plan: short, expires: 2026-12-01}]}\n  access:\n"),
        ("metadata:\n  name: demo\n", ""),
    ],
)
def test_an_editor_marks_what_we_refuse(old: str, new: str) -> None:
    assert old in CLUSTER
    schema = schemas()["cluster"]
    jsonschema.validate(document(CLUSTER), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document(CLUSTER.replace(old, new, 1)), schema)


def test_what_the_fleet_may_give_is_not_asked_of_a_cluster() -> None:
    jsonschema.validate(document(CLUSTER.replace("  image: ubuntu-24.04\n", "")), schemas()["cluster"])


def document(text: str) -> Any:
    (found,) = parse("x", text.encode())
    return plain(found.value)


def plain(value: Any) -> Any:
    """Tuples are lists to the rest of the world."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value
