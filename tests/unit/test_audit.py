"""`make audit`: its three answers are told apart, and its document names all that is pinned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.toolchain import pins
from scripts import audit, sbom

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"], "aliases": []}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on the index and could not be audited: c (1)"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([CLEAN], audit.NONE_KNOWN, "no vulnerability is known of 1 packages"),
        ([CLEAN, BAD], audit.SOME_KNOWN, "b 2: PYSEC-1, fixed in 3"),
        ([CLEAN, UNKNOWN], audit.NOT_ASKED, "could not be asked for: 1 of 2 packages, first c: "),
        ([BAD, UNKNOWN], audit.SOME_KNOWN, "b 2: PYSEC-1"),
    ],
)
def test_a_report_is_read(packages: list[dict[str, Any]], code: int, said: str) -> None:
    found, lines = audit.verdict(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found == code
    assert any(line.startswith(said) for line in lines)


@pytest.mark.parametrize("output", ["", "[]", "{}", '{"dependencies": 7}', "<html>"])
def test_no_report_is_no_good_news(output: str) -> None:
    code, (line,) = audit.verdict(
        output, "WARNING: x\nERROR:pip_audit: Could not connect to the vulnerability service\n"
    )
    assert code == audit.NOT_ASKED
    assert line.endswith("Could not connect to the vulnerability service")


def test_the_document_names_every_program_and_what_it_is_built_from() -> None:
    tools = list(pins.load().tools.values())
    document = sbom.whole({"specVersion": "1.6", "components": [{"name": "typer"}]}, tools)
    components = {c["name"]: c["version"] for c in document["components"] if c["name"] != "typer"}
    assert {tool.name: components[tool.name] for tool in tools} == {tool.name: tool.version for tool in tools}
    assert components["github.com/opentofu/opentofu"] == f"v{pins.load()['tofu'].version}"
    refs = [c["bom-ref"] for c in document["components"] if "bom-ref" in c]
    assert len(refs) == len(set(refs))
    assert {ref for entry in document["dependencies"] for ref in entry["dependsOn"]} <= set(refs)


def test_it_is_apart_from_the_tests() -> None:
    """An advisory of today must not turn a commit of last year red."""
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split(":")[0]: line for line in makefile.splitlines() if ":" in line and not line.startswith("\t")}
    assert not {"audit", "test-long", "soak"} & set(targets["test"].split("##")[0].split())
    assert "not long" in makefile.split("test-unit:")[1].split("\n\n")[0]
    assert "not long" in makefile.split("test-live:")[1].split("\n\n")[0]
