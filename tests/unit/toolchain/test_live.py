"""The real Go, the real module proxy: one small tool from its pinned source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import process
from reconciler.toolchain import Toolbox
from reconciler.toolchain.pins import Pins, load

from .conftest import Heard


@pytest.mark.live
def test_a_real_build_makes_the_pinned_version(tmp_path: Path) -> None:
    tool = replace(load()["actionlint"], accept="exact", version="1.7.12", downloads={}, ask=("-no-such-flag",))
    found = Toolbox(tmp_path, progress=Heard(), pins=Pins({tool.name: tool})).ensure(tool.name)[tool.name]
    assert found.source == "build"
    assert found.seconds > 0
    said = process.run([found.path, "-version"], timeout=30).stdout
    assert load()["actionlint"].read_version(said) == "1.7.12"
