"""Canaries: secrets planted wherever one could leak from, and looked for wherever anything is written."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from reconciler.sandbox.sandbox import Sandbox

from .world import World

pytestmark = pytest.mark.live

USER_DATA = "canary-user-data-5d1c"
METADATA = "canary-metadata-77ab"
OBJECT = "canary-object-90ef"
OUTPUT = "canary-output-31cd"
# Seconds after which a process is no other program any more: looking at all of them again would take a whole core.
STILL_THE_SAME = 5.0
# Where secrets belong: Terraform's own state, and what lets us in.
PRIVATE = ("terraform.tfstate", "admin.conf", ".terraform")


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(sandbox, tmp_path_factory.mktemp("canary"), "canary", cidr="10.27.0.0/24", workers=1)
    outputs = world.repo / "terraform/openstack-cluster/outputs.tf"
    outputs.write_text(outputs.read_text() + f'\noutput "canary" {{\n  value = "{OUTPUT}"\n}}\n')
    world.commit("an output that says too much")
    return world


def test_no_planted_secret_is_ever_told(world: World) -> None:
    canaries = {USER_DATA, METADATA, OBJECT, OUTPUT, credential(world)}
    canaries |= {base64.b64encode(c.encode()).decode() for c in canaries}
    told: dict[str, str] = {}
    with command_lines() as seen:
        told["first apply"] = world.reconciler("apply", "canary").all
    told["command lines of the first apply"] = "\n".join(seen)
    plant(world)
    with command_lines() as seen:
        for form in ("text", "json", "markdown", "html"):
            said = world.reconciler("drift", "canary", "-o", form)
            assert said.code == 3, said.all
            assert "stray" in said.out  # the report did look at it
            told[f"drift as {form}"] = said.all
        told["second apply"] = world.reconciler("apply", "canary").all
    told["command lines afterwards"] = "\n".join(seen)
    told["observed branch"] = world.git("log", "-p", "observed")
    told |= written(world.state)
    assert [(where, canary) for where, text in told.items() for canary in canaries if canary in text] == []


def credential(world: World) -> str:
    """What the reconciler logs in with."""
    said = yaml.safe_load(world.sandbox.clouds_yaml.read_text())
    return str(said["clouds"]["sandbox"]["auth"]["application_credential_secret"])


def plant(world: World) -> None:
    """A stray server with secrets in it, and a Secret of ours changed by hand."""
    cloud = world.mischief().connection
    image, flavor = cloud.image.find_image("ubuntu-24.04"), cloud.compute.find_flavor("m1.small")
    network = cloud.network.find_network("canary")
    port = cloud.network.create_port(network_id=network.id, name="canary-stray")
    made = cloud.compute.create_server(
        name="canary-stray", image_id=image.id, flavor_id=flavor.id, networks=[{"port": port.id}],
        user_data=base64.b64encode(USER_DATA.encode()).decode(),
        metadata={"reconciler.cluster": "canary", "admin_password": METADATA},
    )  # fmt: skip
    cloud.compute.wait_for_server(made, wait=120, interval=0.5)
    first = "jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}"
    ours = "applyset.kubernetes.io/part-of"
    env, name = world.kubectl("get", "secrets", "-A", "-l", ours, "-o", first).split()
    world.kubectl("-n", env, "patch", "secret", name, "-p", f'{{"stringData": {{"token": "{OBJECT}"}}}}')
    world.kubectl("-n", "sid", "set", "env", "deployment/backend", f"DB_PASSWORD={OBJECT}")


def written(state: Path) -> dict[str, str]:
    """Every file the reconciler keeps on this machine, but for those whose content is secret by nature and for the
    modules themselves, which are copies of what is in git."""
    return {
        str(file.relative_to(state)): file.read_text(errors="replace")
        for file in sorted(state.rglob("*"))
        if file.is_file() and file.suffix != ".tf" and not any(p.startswith(PRIVATE) for p in file.parts)
    }


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Whatever stands in the machine's process list while the block runs."""
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        begun: dict[str, float] = {}
        while not stop.wait(0.02):
            now, running = time.monotonic(), list(Path("/proc").glob("[0-9]*"))
            begun = {entry.name: begun.get(entry.name, now) for entry in running}
            for entry in running:
                if now - begun[entry.name] > STILL_THE_SAME:
                    continue
                try:
                    seen.add((entry / "cmdline").read_text(errors="replace").replace("\0", " "))
                except OSError:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
