"""Where a kubeconfig lies says who wrote it: one that was fetched counts only as it was rebuilt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kubernetes import KubernetesApi, watch
from reconciler.app import App
from reconciler.control import kubeconfigs
from reconciler.errors import Permanent
from reconciler.model.resource import Unknown
from reconciler.ports import Api, as_it_is
from reconciler.progress import QuietProgress
from reconciler.settings import OpenShift, Settings
from tests.unit.control.world import World
from tests.unit.spec.test_kubeconfig import kubeadms, text


def with_exec(canary: Path) -> bytes:
    """A kubeconfig whose login is a program that leaves a file behind."""
    content: Any = kubeadms()
    content["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "touch",
            "args": [str(canary)],
            "interactiveMode": "Never",
        }
    }
    content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    return text(content)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def test_what_lies_in_the_state_is_rebuilt_and_what_a_person_named_is_as_it_is(state: Path, tmp_path: Path) -> None:
    gate = kubeconfigs.by_place(state)
    fetched, own = state / "demo/kubespray/credentials/admin.conf", tmp_path / "own.yaml"
    assert json.loads(gate(fetched, text(kubeadms())) or "")["kind"] == "Config"
    assert gate(own, text(kubeadms())) is None
    assert gate(own, with_exec(tmp_path / "canary")) is None
    with pytest.raises(Permanent, match=r"users\.0\.user\.exec: would run a program on this machine"):
        gate(fetched, with_exec(tmp_path / "canary"))


def test_a_link_makes_no_persons_file_of_a_fetched_one(state: Path, tmp_path: Path) -> None:
    gate = kubeconfigs.by_place(state)
    content = with_exec(tmp_path / "canary")
    (state / "admin.conf").write_bytes(content)
    (tmp_path / "own.yaml").symlink_to(state / "admin.conf")
    (tmp_path / "elsewhere").write_bytes(content)
    (state / "link.conf").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "state-too").symlink_to(state)
    for place in ("own.yaml", "state/link.conf", "state-too/admin.conf", "state/../state/admin.conf"):
        with pytest.raises(Permanent):
            gate(tmp_path / place, content)
    with pytest.raises(Permanent):
        kubeconfigs.by_place(tmp_path / "state-too")(state / "admin.conf", content)


def test_the_program_in_a_fetched_kubeconfig_never_runs(state: Path, tmp_path: Path) -> None:
    """As an older version left it, or as somebody put it there; and a person's own one does run."""
    canary, place = tmp_path / "canary", state / "admin.conf"
    place.write_bytes(with_exec(canary))
    api = KubernetesApi(place, gate=kubeconfigs.by_place(state))
    listing = api.nodes()
    assert isinstance(listing, Unknown)
    assert listing.refused  # so that it is fetched again
    assert "would run a program on this machine" in listing.reason
    assert api.certificates() == ()
    with pytest.raises(Permanent, match="would run a program"):
        watch._load(Api(place, None, frozenset()), kubeconfigs.by_place(state))
    assert not canary.exists()
    own = tmp_path / "own.yaml"
    own.write_bytes(with_exec(canary))
    KubernetesApi(own, timeout=1, gate=kubeconfigs.by_place(state)).nodes()
    assert canary.exists()


def test_a_program_gets_the_rebuilt_one(state: Path, tmp_path: Path) -> None:
    gate = kubeconfigs.by_place(state)
    place = state / "admin.conf"
    content = kubeadms()
    content["extensions"] = ["CANARY"]
    place.write_bytes(text(content))
    assert kubeconfigs.for_program(place, gate) == place
    assert "CANARY" not in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o600
    inode = place.stat().st_ino
    kubeconfigs.for_program(place, gate)
    assert place.stat().st_ino == inode
    place.write_bytes(with_exec(tmp_path / "canary"))
    with pytest.raises(Permanent, match="would run a program"):
        kubeconfigs.for_program(place, gate)
    own = tmp_path / "own.yaml"
    own.write_bytes(with_exec(tmp_path / "canary"))
    assert kubeconfigs.for_program(own, gate).read_bytes() == with_exec(tmp_path / "canary")
    with pytest.raises(Permanent, match="cannot read the kubeconfig"):
        kubeconfigs.for_program(tmp_path / "none", as_it_is)


def test_the_app_reads_every_kubeconfig_through_the_gate(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    targets = {"moc": OpenShift(cluster="demo")}
    app = App(Settings(state=tmp_path / "state", openshift=targets), tmp_path, QuietProgress())
    tools = app.toolkit
    fetched = tools.api("demo")
    fetched.kubeconfig.parent.mkdir(parents=True)
    fetched.kubeconfig.write_bytes(with_exec(canary))
    assert tools.openshift["moc"].kubeconfig == fetched.kubeconfig
    for access in (fetched, tools.openshift["moc"]):
        listing = tools.kubernetes(access).nodes()
        assert isinstance(listing, Unknown)
        assert "would run a program on this machine" in listing.reason
        with pytest.raises(Permanent, match="would run a program"):
            kubeconfigs.for_program(access.kubeconfig, tools.gate)
    assert yaml.safe_load(fetched.kubeconfig.read_bytes()) == yaml.safe_load(with_exec(canary))
    assert not canary.exists()


def test_terraform_is_handed_the_rebuilt_one_or_nothing(tmp_path: Path) -> None:
    """An application on the API of a cluster of ours: its kubeconfig was fetched."""
    for refuses in (False, True):
        root = tmp_path / str(refuses)
        root.mkdir()
        world = World(root)
        place = root / "moc"
        place.write_bytes(with_exec(root / "canary") if refuses else text({**kubeadms(), "extensions": ["CANARY"]}))
        cycle = world.cycle()
        outcome, _ = replace(cycle, tools=replace(cycle.tools, gate=kubeconfigs.by_place(root))).reconcile()
        handed = [w.variables["kubeconfig"] for w in world.workspaces if "kubeconfig" in w.variables]
        failed = [step.error for step in outcome.steps if step.error]
        if refuses:
            assert handed == []
            assert any("would run a program on this machine" in error for error in failed)
        else:
            assert handed == [str(place)] * len(handed) != []
            assert "CANARY" not in place.read_text()
