"""What the contract tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .fleet import Fleet


@pytest.fixture(scope="session")
def sandbox_bin() -> Path:
    """The folder with the programs of the sandbox machines' image."""
    if not (folder := os.environ.get("SANDBOX_BIN")):
        pytest.skip("SANDBOX_BIN does not say where etcd, kube-apiserver, … and kwok are")
    return Path(folder)


@pytest.fixture
def fleet(tmp_path: Path, sandbox_bin: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, sandbox_bin)
    fleet.machines.up()
    try:
        yield fleet
    finally:
        fleet.machines.down()
    assert fleet.running() == []
