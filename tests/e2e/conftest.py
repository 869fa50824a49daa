"""The demo's cluster, applied once for the tests that only look at it or put back what they break."""

from __future__ import annotations

import pytest

from reconciler.sandbox.sandbox import Sandbox
from tests.e2e.world import World


@pytest.fixture(scope="session")
def world(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> World:
    """An applied cluster, in sync."""
    made = World(sandbox, tmp_path_factory.mktemp("world"), "demo")
    said = made.reconciler("apply", "demo")
    assert said.code == 0, said.all
    return made
