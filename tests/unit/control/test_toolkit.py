"""Which kubeconfig is a cluster's own: what is given, else what was fetched here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.control.world import World


@pytest.mark.parametrize(
    ("fetched", "given", "which"),
    [(True, True, "given"), (True, False, "fetched"), (False, True, "given"), (False, False, "fetched")],
)
def test_the_kubeconfig_of_a_cluster(tmp_path: Path, fetched: bool, given: bool, which: str) -> None:
    tools = replace(World(tmp_path).cycle().tools, kubeconfigs=tmp_path / "given")
    places = {"fetched": tools.kubespray.kubeconfig("demo"), "given": tmp_path / "given/demo.yaml"}
    for name, there in (("fetched", fetched), ("given", given)):
        places[name].parent.mkdir(exist_ok=True, parents=True)
        places[name].unlink(missing_ok=True)
        if there:
            places[name].write_text("")
    assert tools.api("demo").kubeconfig == places[which]


def test_without_such_a_folder_it_is_what_was_fetched(tmp_path: Path) -> None:
    tools = World(tmp_path).cycle().tools
    assert tools.api("demo").kubeconfig == tools.kubespray.kubeconfig("demo")
