"""Write what the project consists of as one CycloneDX document: the Python packages of an environment, as cyclonedx-py
lists them, and the Go programs that are built or downloaded, with the modules that their go.mod pins."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler import process
from reconciler.toolchain import pins
from reconciler.toolchain.pins import Tool

_SECONDS = 300.0
_REQUIRED = re.compile(r"^\s*(?:require )?([\w.~-]+\.[\w./~-]+) (v\S+)(?: // indirect)?$", re.MULTILINE)


def programs(tools: Sequence[Tool]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Components and dependencies: every tool as an application, every module of its go.mod as a library."""
    components: dict[str, dict[str, Any]] = {}
    dependencies = []
    for tool in tools:
        libraries = [_library(*found) for found in _REQUIRED.findall((tool.module.folder / "go.mod").read_text())]
        application = {
            "type": "application",
            "bom-ref": f"tool:{tool.name}",
            "name": tool.name,
            "version": tool.version,
        }
        components |= {c["bom-ref"]: c for c in (application, *libraries)}
        refs = sorted({library["bom-ref"] for library in libraries})
        dependencies.append({"ref": application["bom-ref"], "dependsOn": refs})
    return list(components.values()), dependencies


def _library(module: str, version: str) -> dict[str, str]:
    purl = f"pkg:golang/{module}@{version.replace('+', '%2B')}"
    return {"type": "library", "bom-ref": purl, "name": module, "version": version, "purl": purl}


def whole(python: Mapping[str, Any], tools: Sequence[Tool]) -> dict[str, Any]:
    """The document of the Python packages with the programs added."""
    components, dependencies = programs(tools)
    return {
        **python,
        "components": [*python.get("components", ()), *components],
        "dependencies": [*python.get("dependencies", ()), *dependencies],
    }


def main(arguments: Sequence[str]) -> int:
    interpreter, target = arguments
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml"]
    command += ["--output-reproducible", "--output-format", "JSON", interpreter]
    listed = json.loads(process.run(command, timeout=_SECONDS).stdout)
    document = json.dumps(whole(listed, list(pins.load().tools.values())), indent=1)
    _refuse_invalid(document)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(document, "utf-8")
    print(f"{target}: {len(json.loads(document)['components'])} components")
    return 0


def _refuse_invalid(document: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = json.loads(document)["specVersion"]
    error = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(document)
    if error is not None:
        sys.exit(f"the document is no CycloneDX {version}: {error}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
