"""The sandbox's cloud without its cloud: files, processes and locks."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.ports import Task
from reconciler.sandbox.openstack import Cloud
from reconciler.sandbox.openstack.environment import Environment, locked
from reconciler.sandbox.openstack.layout import EXTRAS, SERVICES, Layout, kept_extras, write_private
from reconciler.sandbox.openstack.services import Services


class Recorder:
    """Progress that keeps the titles of what was done."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def log(self, text: str) -> None: ...

    def total(self, units: float) -> None: ...

    def advance(self, units: float = 1) -> None: ...

    def status(self, text: str) -> None: ...

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        self.titles.append(title)
        yield self


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "venv/etc/nova").mkdir(parents=True)
    (tmp_path / "venv/etc/nova/api-paste.ini").write_text("[pipeline]\n")
    made = Layout(tmp_path / "cloud", "127.0.0.1", 30100, "127.10.0.0/24")
    made.configure(tmp_path / "venv", "correct horse")
    return made


@pytest.fixture
def services(layout: Layout, tmp_path: Path) -> Services:
    return Services(layout, Environment(tmp_path / "cache", Recorder()), Recorder())


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def birth(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_configuration_is_complete_and_private(layout: Layout) -> None:
    files = sorted((layout.root / "etc").glob("*.conf"))
    assert [path.stem for path in files] == ["glance-api", "keystone", "neutron", "nova", "placement"]
    for path in files:
        text = path.read_text()
        assert "$" not in text
        assert "password = correct horse" in text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "machine_network = 127.10.0.0/24" in (layout.root / "etc/nova.conf").read_text()


def test_an_optional_service_is_configured_only_where_it_is_wanted_and_then_stays(
    layout: Layout, tmp_path: Path
) -> None:
    assert layout.is_configured
    assert kept_extras(layout.root) == set()
    assert not {"block-storage", "volumev3", "load-balancer"} & set(layout.endpoints)
    more = replace(layout, extras=EXTRAS)
    assert not more.is_configured
    more.configure(tmp_path / "venv", "correct horse")
    assert more.is_configured
    assert kept_extras(layout.root) == set(EXTRAS)
    assert more.endpoints == layout.endpoints | {
        "block-storage": "http://127.0.0.1:30105/v3",
        "volumev3": "http://127.0.0.1:30105/v3",
        "load-balancer": "http://127.0.0.1:30106",
    }
    for name in EXTRAS:
        text = (layout.root / f"etc/{name}.conf").read_text()
        assert "$" not in text
        assert "password = correct horse" in text


def test_a_cloud_keeps_its_optional_services(tmp_path: Path, layout: Layout) -> None:
    def services(*extras: str) -> list[str]:
        made = Cloud(layout.root, cache=tmp_path, base_port=30100, progress=Recorder(), extras=extras)
        return [service.name for service in made.status()]

    assert services() == list(SERVICES)
    assert services("octavia") == [*SERVICES, "octavia"]
    (layout.root / "etc/cinder.conf").write_text("")
    assert services() == [*SERVICES, "cinder"]
    assert services("octavia") == [*SERVICES, "cinder", "octavia"]


def test_keys_are_a_clouds_own_and_stay(layout: Layout, tmp_path: Path) -> None:
    def keys(of: Layout) -> list[bytes]:
        return [path.read_bytes() for path in sorted((of.root / "keys").rglob("?"))]

    before = keys(layout)
    assert len(set(before)) == 6
    layout.configure(tmp_path / "venv", "correct horse")
    assert keys(layout) == before
    other = Layout(tmp_path / "other", "127.0.0.1", 30200, "127.10.0.0/24")
    other.configure(tmp_path / "venv", "correct horse")
    assert not set(keys(other)) & set(before)


def test_a_private_file_is_private_even_where_a_public_one_was(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_running_is_down(services: Services) -> None:
    status = services.status()
    assert [service.name for service in status] == list(SERVICES)
    assert not any(service.alive or service.responds or service.pid for service in status)
    services.stop()


@pytest.mark.parametrize("text", ["{pid} 1", "{pid}", "", "nonsense", "99999999 5"])
def test_a_process_that_is_not_ours_is_left_alone(
    services: Services, layout: Layout, bystander: subprocess.Popen[bytes], text: str
) -> None:
    layout.pid("nova").write_text(text.format(pid=bystander.pid))
    assert not any(service.alive for service in services.status())
    services.stop()
    assert bystander.poll() is None
    assert not layout.pid("nova").exists()


def test_a_process_that_is_ours_is_ended(
    services: Services, layout: Layout, bystander: subprocess.Popen[bytes]
) -> None:
    layout.pid("nova").write_text(f"{bystander.pid} {birth(bystander.pid)}\n")
    assert [service.name for service in services.status() if service.alive] == ["nova"]
    services.stop()
    assert bystander.wait(timeout=10) == -15


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", list[str]()

    def second() -> None:
        with locked(path):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
