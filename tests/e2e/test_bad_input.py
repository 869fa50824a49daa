"""Bad input and bad weather: one clear message with a place and a hint, the right exit code, and nothing applied."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.sandbox.openstack import make_expired_credential
from reconciler.sandbox.sandbox import Sandbox
from tests.e2e.world import Said, World

pytestmark = pytest.mark.live


@pytest.fixture
def other(sandbox: Sandbox, tmp_path: Path) -> World:
    """A repository whose cluster was never applied: whatever appears in the cloud is a defect."""
    return World(sandbox, tmp_path, "other", cidr="10.21.0.0/24")


def refused(said: Said, code: int, *words: str) -> None:
    assert said.code == code, said.all
    assert "Traceback" not in said.all
    assert "hint:" in said.err
    for word in words:
        assert word in said.err, said.err


def line_of(world: World, text: str) -> int:
    return next(n for n, line in enumerate(world.cluster_file.read_text().splitlines(), 1) if text in line)


BROKEN = ("kind: Cluster", "kind: [Cluster", ("broken YAML",))
MISSPELT = ("  cloud: sandbox", "  clowd: sandbox", ("unknown key 'clowd'", "did you mean 'cloud'?"))
OVERLAPS = ("cidr: 10.21.0.0/24", "cidr: 10.233.0.0/24", ("overlaps", "kubernetes.serviceCidr"))


@pytest.mark.parametrize(
    ("verb", "old", "new", "words"),
    [
        *((verb, *BROKEN) for verb in ("validate", "plan", "drift", "apply")),
        ("validate", *MISSPELT),
        ("apply", *MISSPELT),
        ("plan", *OVERLAPS),
        ("apply", *OVERLAPS),
    ],
)
def test_a_mistake_in_yaml_has_its_line(other: World, verb: str, old: str, new: str, words: tuple[str, ...]) -> None:
    line = line_of(other, old.strip())
    other.edit(old, new)
    other.commit("a mistake")
    said = other.reconciler(verb)
    assert said.code == 2, said.all
    assert "Traceback" not in said.all
    places = (
        [f"cluster.yaml:{line}:", f"cluster.yaml:{line + 1}:"] if "broken" in words[0] else [f"cluster.yaml:{line}:"]
    )
    assert any(f"desired/other/{place}" in said.err for place in places), said.err
    for word in words:
        assert word in said.err
    assert other.servers() == {}


@pytest.mark.parametrize(
    ("verb", "old", "new", "what"),
    [
        *((v, "flavor: m1.large", "flavor: m1.larg", "has no flavor 'm1.larg'") for v in ("plan", "drift", "apply")),
        ("apply", "image: ubuntu-24.04", "image: ubuntu-23.04", "has no image 'ubuntu-23.04'"),
        ("plan", "externalNetwork: public", "externalNetwork: publik", "has no network 'publik'"),
    ],
)
def test_a_reference_the_cloud_does_not_have(other: World, verb: str, old: str, new: str, what: str) -> None:
    line = line_of(other, old)
    other.edit(old, new)
    other.commit("a reference to nothing")
    refused(other.reconciler(verb), 2, f"desired/other/cluster.yaml:{line}:", "sandbox", what, "did you mean")
    assert other.servers() == {}


def test_an_application_that_goes_nowhere(other: World) -> None:
    settings = yaml.safe_load(other.config.read_text())
    other.config.write_text(yaml.safe_dump(settings | {"openshift": {}}))
    refused(other.reconciler("plan"), 2, "desired/other/applications/sid-frontend.yaml:8:", "no OpenShift 'moc'")


def with_clouds(world: World, path: Path) -> None:
    settings = yaml.safe_load(world.config.read_text())
    world.config.write_text(yaml.safe_dump(settings | {"clouds": str(path), "timeouts": {"cloud": 2}}))


@pytest.mark.parametrize("verb", ["plan", "drift", "apply"])
def test_no_clouds_yaml(other: World, tmp_path: Path, verb: str) -> None:
    with_clouds(other, tmp_path / "nowhere" / "clouds.yaml")
    refused(other.reconciler(verb), 1, "cloud 'sandbox'", str(tmp_path / "nowhere" / "clouds.yaml"))


def test_a_cloud_that_is_not_in_clouds_yaml(other: World) -> None:
    other.edit("cloud: sandbox", "cloud: elsewhere")
    other.commit("another cloud")
    refused(other.reconciler("plan"), 2, "cloud 'elsewhere' is not in clouds.yaml")


def test_broken_clouds_yaml(other: World, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: [oops\n")
    with_clouds(other, tmp_path / "clouds.yaml")
    refused(other.reconciler("drift"), 1, "cloud 'sandbox'")


@pytest.mark.parametrize("verb", ["drift", "apply"])
def test_an_expired_credential(other: World, sandbox: Sandbox, verb: str) -> None:
    with_clouds(other, make_expired_credential(sandbox.root))
    refused(other.reconciler(verb), 1, "cloud 'sandbox'", "401", "application credential")
    assert other.servers() == {}


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        held: list[socket.socket] = []

        def hold() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])

        threading.Thread(target=hold, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            for connection in held:
                connection.close()


def elsewhere(world: World, tmp_path: Path, port: int) -> None:
    """The same credential, said to be at another address."""
    clouds = yaml.safe_load(world.sandbox.clouds_yaml.read_text())
    clouds["clouds"]["sandbox"]["auth"]["auth_url"] = f"http://127.0.0.1:{port}/v3"
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(clouds))
    with_clouds(world, tmp_path / "clouds.yaml")


def test_a_cloud_that_does_not_answer(other: World, tmp_path: Path) -> None:
    with silent_server() as port:
        elsewhere(other, tmp_path, port)
        refused(other.reconciler("drift", timeout=60), 1, "cloud 'sandbox'", "does not answer")


def test_a_cloud_that_is_not_there(other: World, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        elsewhere(other, tmp_path, unused.getsockname()[1])
        refused(other.reconciler("apply", timeout=60), 1, "cloud 'sandbox'", "does not answer")


@pytest.mark.parametrize("argv", [("plan", "nobody"), ("plan", "othr"), ("plan", "--ref", "no-such-branch")])
def test_names_nobody_has(other: World, argv: tuple[str, ...]) -> None:
    refused(other.reconciler(*argv), 2, argv[-1])


def test_not_a_repository(other: World, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = other.reconciler("-C", str(empty), "plan")
    refused(said, 2)


def test_settings_with_a_mistake(other: World) -> None:
    other.config.write_text("cloudz: x\n")
    refused(other.reconciler("plan"), 2, "reconciler.yaml:1:1", "unknown key 'cloudz'", "did you mean 'clouds'?")
