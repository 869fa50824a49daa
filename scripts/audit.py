"""Ask whether a pinned package is known to be vulnerable. Apart from the tests: an advisory that is published today
must not turn a commit of last year red. Exit codes tell the three answers apart: 0 nothing is known, 1 something is,
2 nobody could be asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reconciler import process

_SECONDS = 900.0
NONE_KNOWN, SOME_KNOWN, NOT_ASKED = 0, 1, 2


def verdict(output: str, error: str) -> tuple[int, list[str]]:
    """The exit code and what to print, from pip-audit's JSON and what it says on stderr. It ends with 1 both when it
    found something and when no service answered, so its exit code says nothing; only a whole report is an answer."""
    try:
        packages = json.loads(output)["dependencies"]
        known = [line for package in packages for line in _advisories(package)]
        skipped = [f"{p['name']}: {p['skip_reason']}" for p in packages if "skip_reason" in p]
    except (ValueError, KeyError, TypeError):
        reason = next((line for line in reversed(error.splitlines()) if line.strip()), "it says nothing")
        return NOT_ASKED, [f"nobody could be asked for vulnerabilities: {reason.strip()}"]
    if skipped:  # an index without advisories, a mirror say, knows none of them
        missing = f"could not be asked for: {len(skipped)} of {len(packages)} packages, first {skipped[0]}"
        return (SOME_KNOWN if known else NOT_ASKED), [*known, missing]
    if known:
        return SOME_KNOWN, known
    return NONE_KNOWN, [f"no vulnerability is known of {len(packages)} packages"]


def _advisories(package: dict[str, Any]) -> list[str]:
    name = f"{package['name']} {package.get('version', '')}".strip()
    return [
        f"{name}: {advisory['id']}, fixed in {', '.join(advisory['fix_versions']) or 'no release'}"
        for advisory in package.get("vulns", ())
    ]


def main(arguments: Sequence[str]) -> int:
    (constraints,) = arguments
    command = [sys.executable, "-m", "pip_audit", "--requirement", constraints, "--disable-pip", "--no-deps"]
    command += ["--progress-spinner", "off", "--format", "json"]
    done = process.run([*command], cwd=Path.cwd(), timeout=_SECONDS, check=False)
    code, lines = verdict(done.stdout, done.stderr)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
