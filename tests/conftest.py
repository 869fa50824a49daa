"""The real parts that live tests share: tools, one sandbox for the session, and a cluster on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.progress import QuietProgress
from reconciler.sandbox.openstack import EXTRAS
from reconciler.sandbox.sandbox import IMAGE, Sandbox
from reconciler.settings import Settings
from reconciler.toolchain import Toolbox

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def toolbox() -> Toolbox:
    """The pinned tools: from the cache, or built now."""
    return Toolbox(Settings().cache_folder, overrides={}, progress=QuietProgress())


@pytest.fixture(scope="session")
def sandbox_bin(toolbox: Toolbox) -> Path:
    """What a machine's image has installed."""
    toolbox.ensure(*IMAGE)
    return toolbox.bin_dir(*IMAGE)


@pytest.fixture(scope="session")
def sandbox(toolbox: Toolbox) -> Iterator[Sandbox]:
    """A real OpenStack on loopback, with machines to log in to; where `make clean-sandbox` finds it after a crash."""
    folder = PROJECT / ".sandbox" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=folder))
    cache = Settings().cache_folder
    made = Sandbox(root, toolbox=toolbox, cache=cache, progress=QuietProgress(), extras=EXTRAS)
    try:
        made.up()
        yield made
    finally:
        made.down()
        made.wipe()


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no credentials and no settings but their own."""
    for name in [n for n in os.environ if n.startswith("OS_") or n == "RECONCILER_CONFIG"]:
        monkeypatch.delenv(name)
