"""The oldest OpenStack provider that the module allows, held to the same agreement as the pinned one."""

from __future__ import annotations

import pytest

from reconciler.progress import QuietProgress
from reconciler.sandbox.sandbox import Sandbox
from reconciler.settings import Settings
from reconciler.toolchain import Toolbox

from .mutations import NAME
from .test_mutations import (
    Cluster,
    applied,
    test_after_all_of_them_opentofu_has_nothing_to_change,
    test_both_see_it_and_one_cycle_repairs_it,
)
from .world import World

pytestmark = [pytest.mark.live, pytest.mark.long]

__all__ = ["test_after_all_of_them_opentofu_has_nothing_to_change", "test_both_see_it_and_one_cycle_repairs_it"]


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox, toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    pinned, oldest = "terraform-provider-openstack", "terraform-provider-openstack-1"
    tools = {pinned: toolbox.ensure(oldest)[oldest].path}
    with_it = Toolbox(Settings().cache_folder, overrides=tools, progress=QuietProgress())
    world = World(sandbox, tmp_path_factory.mktemp("oldest"), NAME, cidr="10.29.0.0/24", tools=tools)
    return applied(world, with_it)
