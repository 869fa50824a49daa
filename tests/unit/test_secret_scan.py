"""No secret lies in the repository, says the program that knows what they look like; and it would find one."""

from __future__ import annotations

import json
import secrets
import shutil
import string
from pathlib import Path
from typing import Any

import pytest

from reconciler import process
from reconciler.toolchain import Toolbox

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.live


def tracked(into: Path) -> Path:
    """What git has, or would have after the next `git add`, as it lies here."""
    list_all: list[str | Path] = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for path in filter(None, process.run(list_all, timeout=60).stdout.split("\0")):
        if (ROOT / path).is_file() and not (ROOT / path).is_symlink():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, into / path)
    return into


def leaks(toolbox: Toolbox, folder: Path, report: Path) -> list[dict[str, Any]]:
    """What gitleaks finds, by our rules; asks nobody, and repeats nothing of what it found."""
    program = toolbox.ensure("gitleaks")["gitleaks"].path
    command: list[str | Path] = [
        program,
        "dir",
        "--config",
        ROOT / ".gitleaks.toml",
        "--no-banner",
        "--log-level=error",
        "--redact",
    ]
    command += ["--exit-code=7", "--report-format=json", f"--report-path={report}", "."]
    done = process.run(command, cwd=folder, timeout=600, ok=(0, 7))
    found: list[dict[str, Any]] = json.loads(report.read_text())
    assert bool(found) == (done.exit_code == 7)
    return found


def test_there_is_none(toolbox: Toolbox, tmp_path: Path) -> None:
    found = leaks(toolbox, tracked(tmp_path / "tree"), tmp_path / "report.json")
    assert [f"{leak['File']}:{leak['StartLine']}: {leak['Description']}" for leak in found] == []


def test_one_would_be_found(toolbox: Toolbox, tmp_path: Path) -> None:
    """Also beside what was looked at and is none. They are made here: this file has none of them either."""
    letters = string.ascii_letters + string.digits
    token = "ghp_" + "".join(secrets.choice(letters) for _ in range(36))
    body = "\n".join("".join(secrets.choice(letters) for _ in range(64)) for _ in range(20))
    key = f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----\n{body}\n-----END OPENSSH {'PRIVATE'} KEY-----\n"
    planted = {
        "desired/physics/cluster.yaml": f"# {token}\n",
        "tests/unit/spec/test_secrets.py": f'TOKEN = "{token}"\n',
        "docs/key.md": key,
    }
    for path, text in planted.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_text(text)
    found = leaks(toolbox, tmp_path / "tree", tmp_path / "report.json")
    assert {leak["File"] for leak in found} == set(planted)
    assert token not in (tmp_path / "report.json").read_text()
