"""docs/install.md, step 10: its commands work as they are written, after the bounds of its first point."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from .conftest import Run

ROOT = Path(__file__).resolve().parents[3]
SECTION = re.search(r"^## 10\. .*?(?=^## 11\.)", (ROOT / "docs/install.md").read_text(), re.M | re.S)


def commands() -> list[str]:
    """Every command, its continuation lines with it."""
    assert SECTION
    text = re.sub(r"^   ```.*?^   ```", "", SECTION[0], flags=re.M | re.S)
    return [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.startswith("       ")]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own clone, with the group that the first point shows, and a home that is nobody's."""
    assert SECTION
    group = re.search(r"nodeGroups:\n(.*?)```", SECTION[0], re.S)
    assert group
    for folder in ("desired", "manifests", "docs", "terraform", "kubespray"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    file = tmp_path / "desired/demo/cluster.yaml"
    bounded = "\n".join(line[1:] for line in group[1].rstrip().splitlines())
    file.write_text(file.read_text().replace("  nodeGroups:\n", f"  nodeGroups:\n{bounded}\n", 1))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(command: str, home: Path) -> list[str]:
    return [word.replace("~", str(home), 1) if word.startswith("~") else word for word in shlex.split(command)]


def test_each_command_works_in_the_order_they_stand(run: Run, clone: Path) -> None:
    said = commands()
    assert [line.split()[:3] for line in said if line.startswith("reconciler")] == [
        ["reconciler", "autoscaler", "certificates"],
        ["reconciler", "autoscaler", "serve"],  # tests/e2e/test_autoscaler.py
        ["reconciler", "autoscaler", "simulate"],
    ]
    for command in said:
        argv = words(command.strip("()"), clone / "home")
        if argv[:3] in (["reconciler", "autoscaler", "certificates"], ["reconciler", "autoscaler", "simulate"]):
            done = run(*argv[1:])
            assert done.code == 0, done.err
        for word in (w for w in argv if w.startswith("--from-file=")):
            assert argv[0] == "cd"
            assert (Path(argv[1]) / word.partition("=")[2]).is_file()
        if "-f" in argv:
            assert (clone / argv[argv.index("-f") + 1]).is_dir()


def test_the_example_and_its_autoscaler_fit(run: Run, clone: Path) -> None:
    said = run("validate")
    assert said.code == 0
    assert "manifests/cluster-autoscaler" not in said.out
    manifest = clone / "manifests/cluster-autoscaler/autoscaler.yaml"
    manifest.write_text(manifest.read_text().replace("time=30m", "time=20m"))
    said = run("validate")
    assert (said.code, said.out.count("provisionMinutes")) == (0, 3)
