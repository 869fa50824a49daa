"""Getting Kubespray: the pinned commit or nothing, whole or absent, once; from a mirror on this very disk."""

from __future__ import annotations

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from reconciler import process
from reconciler.adapters.kubespray import UPSTREAM, Given, Kubespray, Release
from reconciler.adapters.kubespray import python as python_module
from reconciler.adapters.kubespray.python import Python, asks_for_ansible, interpreter
from reconciler.adapters.kubespray.source import Installed, Pin, read_pin
from reconciler.errors import Evidence, Invalid, Permanent, ReconcilerError, Transient
from reconciler.model.hosts import Hosts
from reconciler.ports import Playbook
from reconciler.progress import QuietProgress
from reconciler.toolchain.store import Store

TAG = "v9.1.0"


@dataclass
class Shown(QuietProgress):
    """Remembers what was shown."""

    lines: list[str] = field(default_factory=list)

    def log(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Mirror:
    """A bare repository with Kubespray's shape. `commit` is where the tag is."""

    path: Path
    work: Path
    commit: str = ""

    def release(self, text: str) -> None:
        """Make a commit and put the tag on it, wherever it was before."""
        (self.work / "cluster.yml").write_text(text)
        git(self.work, "add", ".")
        git(self.work, "commit", "-q", "-m", text)
        git(self.work, "tag", "--force", "-a", "-m", text, TAG)
        git(self.work, "push", "-q", "--force", str(self.path), "HEAD:refs/heads/master", TAG)
        self.commit = git(self.work, "rev-parse", "HEAD")

    def version(self, commit: str = "") -> bytes:
        return f"tag: {TAG}\ncommit: {commit or self.commit}\n".encode()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "tag.gpgSign=false"]
    argv = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    made = Mirror(tmp_path / "mirror.git", tmp_path / "work")
    for path, options in ((made.path, ["--bare"]), (made.work, [])):
        path.mkdir()
        git(path, "init", "-q", *options)
    made.release("first")
    return made


def kept(cache: Path) -> list[str]:
    """What somebody would find in the cache, locks aside."""
    folder = cache / "kubespray"
    return sorted(f.name for f in folder.iterdir() if not f.name.endswith(".lock")) if folder.exists() else []


def test_the_pinned_commit_is_fetched_once(mirror: Mirror, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    release = Release(mirror.version(), str(mirror.path), cache)
    place = release.checkout(QuietProgress())
    assert (place / "cluster.yml").read_text() == "first"
    assert kept(cache) == [f"{TAG}-{mirror.commit}"] == [place.name]
    mirror.path.rename(tmp_path / "away")  # no network
    assert release.checkout(QuietProgress()) == place
    assert release.ensure(QuietProgress()).programs == Path(sys.executable).parent


def test_a_url_is_cloned_shallow_and_leaves_no_password(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.release("second")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # this machine's way to the mirror
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{mirror.path}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://somebody:hunter2@git.invalid/kubespray")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as in a hook
    release = Release(mirror.version(), "https://somebody:hunter2@git.invalid/kubespray", tmp_path / "cache")
    place = release.checkout(QuietProgress())
    assert (place / "cluster.yml").read_text() == "second"
    assert not (place / ".git").exists()


def test_a_tag_at_another_commit_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    pinned = mirror.commit
    mirror.release("moved")
    with pytest.raises(Permanent) as caught:
        Release(mirror.version(pinned), str(mirror.path), tmp_path / "cache").checkout(QuietProgress())
    assert pinned in caught.value.message
    assert mirror.commit in caught.value.message
    assert kept(tmp_path / "cache") == []


def test_what_fails_says_whether_to_try_again(mirror: Mirror, tmp_path: Path) -> None:
    def fetch(url: str, version: bytes) -> None:
        Release(version, url, tmp_path / "cache").checkout(QuietProgress())

    with pytest.raises(Permanent, match=r"v9\.9\.9 can't be cloned"):
        fetch(str(mirror.path), mirror.version().replace(TAG.encode(), b"v9.9.9"))
    with pytest.raises(Permanent, match="can't be cloned"):
        fetch(str(tmp_path / "nowhere"), mirror.version())
    with pytest.raises(Transient) as caught:
        fetch("http://somebody:hunter2@127.0.0.1:9/kubespray", mirror.version())
    assert caught.value.evidence
    assert "kubesprayMirror" in str(caught.value.hint)
    assert "hunter2" not in f"{caught.value.message} {caught.value.evidence}"
    assert kept(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag: [", "not YAML"),
        ("- v1", "no tag"),
        ("tag: ../../etc\ncommit: " + "a" * 40, "no tag"),
        ("tag: --upload-pack=x\ncommit: " + "a" * 40, "no tag"),
        ("tag: v2.31.0", "which commit"),
        ("tag: v2.31.0\ncommit: 1c9add4", "which commit"),
    ],
)
def test_a_wrong_pin_is_named(text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        read_pin(text.encode())


def test_without_a_pin_the_projects_own_holds() -> None:
    assert read_pin(None) == Pin("v2.31.0", "1c9add48975060f45396b34d8e022c30d7f80dab")


def test_two_at_once_fetch_once(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clones, both = [], threading.Barrier(2)
    really = process.run

    def slow(argv, **options):  # type: ignore[no-untyped-def]
        if "clone" in argv:
            clones.append(argv)
            time.sleep(0.5)
        return really(argv, **options)

    def fetch(_: int) -> tuple[Path, list[str]]:
        shown = Shown()
        both.wait()
        return Release(mirror.version(), str(mirror.path), tmp_path / "cache").checkout(shown), shown.lines

    monkeypatch.setattr(process, "run", slow)
    with ThreadPoolExecutor(2) as pool:
        (first, one), (second, other) = pool.map(fetch, range(2))
    assert first == second
    assert len(clones) == 1
    assert ["waiting for another process" in line for line in one + other] == [True]


@contextmanager
def stuck_git(folder: Path) -> Iterator[dict[str, str]]:
    """An environment in which a clone starts, makes its folder, and never ends."""
    folder.mkdir()
    script = folder / "git"
    script.write_text('#!/bin/sh\nfor last; do :; done\nmkdir -p "$last/half"\nexec sleep 300\n')
    script.chmod(0o755)
    yield {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_killed_while_it_fetches_nothing_half_made_is_used(mirror: Mirror, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    code = (
        "from pathlib import Path; from reconciler.adapters.kubespray import Release; "
        "from reconciler.progress import QuietProgress; "
        f"Release({mirror.version()!r}, {str(mirror.path)!r}, Path({str(cache)!r})).checkout(QuietProgress())"
    )
    with stuck_git(tmp_path / "bin") as environment:
        child = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not list(cache.glob("kubespray/.*/*/half")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    name = f"{TAG}-{mirror.commit}"
    assert kept(cache) == [f".{name}"]  # scratch, which nobody takes for the real thing
    place = Release(mirror.version(), str(mirror.path), cache).checkout(QuietProgress())
    assert sorted(f.name for f in place.iterdir()) == ["cluster.yml"]
    assert kept(cache) == [name]


def test_nothing_is_fetched_for_a_run_that_cannot_start(mirror: Mirror, tmp_path: Path) -> None:
    source = Release(mirror.version(), str(mirror.path), tmp_path / "cache")
    one = Kubespray(source, state=tmp_path, private_key=tmp_path / "none", timeout=1, environment={})
    one.kubeconfig("demo")
    with pytest.raises(Invalid, match="no private key"):
        one.run("demo", Playbook("cluster.yml", {}), QuietProgress())
    assert kept(tmp_path / "cache") == []


def test_an_entry_point_may_be_among_the_playbooks(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    for name in ("cluster.yml", "playbooks/cluster.yml", "playbooks/facts.yml"):
        (tmp_path / name).touch()
    installed = Installed(tmp_path, tmp_path)
    assert [installed.entry_point(n) for n in ("cluster.yml", "facts.yml")] == ["cluster.yml", "playbooks/facts.yml"]
    with pytest.raises(Invalid, match=r"no absent\.yml"):
        installed.entry_point("absent.yml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ansible==11.13.0\n", True), ("# ansible\nansible-runner\n", False), ("x\n ansible-core >=2.18 # y\n", True)],
)
def test_whose_requirements_they_are(text: str, expected: bool, tmp_path: Path) -> None:
    assert not asks_for_ansible(tmp_path / "requirements.txt")
    (tmp_path / "requirements.txt").write_text(text)
    assert asks_for_ansible(tmp_path / "requirements.txt") is expected


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Playbooks whose requirements name an Ansible that needs no index: the smallest wheel of that name."""
    files = {
        "ansible_stub.py": "def main():\n    print('stub')\n",
        "ansible-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: ansible\nVersion: 1.0\n",
        "ansible-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "ansible-1.0.dist-info/entry_points.txt": "[console_scripts]\nansible-playbook = ansible_stub:main\n",
        "ansible-1.0.dist-info/RECORD": "",
    }
    wheel = tmp_path / "ansible-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "requirements.txt").write_text(f"ansible @ file://{wheel}\n")
    return playbooks


def test_an_environment_of_its_own_is_made_once_and_whole(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(argv: list[str | Path], **_: object) -> None:
        (Path(argv[-1]) / "half").mkdir(parents=True)
        raise KeyboardInterrupt

    given = Given(package, tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(process, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            given.ensure(QuietProgress())
    programs = given.ensure(QuietProgress()).programs
    assert subprocess.check_output([programs / "ansible-playbook"], text=True) == "stub\n"
    assert re.fullmatch(r"python3\.\d+-[0-9a-f]{16}", programs.parent.name)
    assert not (programs.parent / "half").exists()
    monkeypatch.setattr(process, "run", None)  # nothing is started any more
    assert given.ensure(QuietProgress()).programs == programs


@pytest.mark.parametrize(
    ("line", "kind"),
    [("Temporary failure in name resolution", Transient), ("No matching distribution found for ansible", Permanent)],
)
def test_packages_that_cannot_be_had(
    line: str, kind: type[ReconcilerError], package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise Permanent("pip failed", evidence=Evidence("pip", 1, (line,)))

    monkeypatch.setattr(process, "run", fails)
    with pytest.raises(kind, match="Ansible can't be installed"):
        Python(package / "requirements.txt", Store(tmp_path / "cache")).ensure(QuietProgress())


def test_a_python_it_runs_on_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_module, "_NEWEST", (3, 10))
    monkeypatch.setattr(python_module, "_OLDEST", (3, 9))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Permanent, match="Python"):
        interpreter()
    (tmp_path / "python3.9").touch(mode=0o755)
    assert interpreter() == (tmp_path / "python3.9", "3.9")


@contextmanager
def over_http(answers: dict[str, str], folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that serves a folder, and leads elsewhere where `answers` says so; what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            first = self.path.split("/")[1]
            if first not in answers:
                return super().do_GET()
            self.send_response(302)
            self.send_header("Location", self.path.replace(f"/{first}", answers[first], 1))
            self.end_headers()
            return None

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}", asked
        httpd.shutdown()
        thread.join()


def test_a_mirror_leads_nowhere_else(mirror: Mirror, tmp_path: Path) -> None:
    git(mirror.path, "update-server-info")
    with over_http({}, tmp_path) as (other, asked), over_http({"moved": f"{other}/mirror.git"}, tmp_path) as (url, _):
        with pytest.raises(Permanent, match=re.escape(f"can't be cloned from {url}/moved")) as caught:
            Release(mirror.version(), f"{url}/moved", tmp_path / "cache").checkout(QuietProgress())
        assert "is not followed" in (caught.value.hint or "")
        assert asked == []


def test_a_list_of_hosts_has_to_have_kubesprays_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run", lambda *_, **__: pytest.fail("git was started"))
    version = f"tag: {TAG}\ncommit: {'a' * 40}\n".encode()
    with pytest.raises(Invalid, match=r"github\.com is not among the hosts that may be asked") as caught:
        Release(version, UPSTREAM, tmp_path, Hosts.of("charts.example.org")).checkout(QuietProgress())
    assert "kubesprayMirror" in (caught.value.hint or "")


@pytest.mark.parametrize("hosts", [Hosts(), Hosts.of("*"), Hosts.of("github.com"), Hosts.of("*.com:443")])
def test_and_then_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: Hosts) -> None:
    def run(argv: list[str], **_: object) -> process.Completed:
        assert UPSTREAM in argv
        raise Transient("no network here", evidence=Evidence("git", 128, ("no route",)))

    monkeypatch.setattr(process, "run", run)
    version = f"tag: {TAG}\ncommit: {'a' * 40}\n".encode()
    with pytest.raises(Transient, match="can't be fetched"):
        Release(version, UPSTREAM, tmp_path, hosts).checkout(QuietProgress())


@pytest.mark.parametrize("more", ["url: https://evil.org/k\n", "repository: ext::sh\n"])
def test_a_commit_names_no_host(mirror: Mirror, tmp_path: Path, more: str) -> None:
    place = Release(mirror.version() + more.encode(), str(mirror.path), tmp_path / "cache").checkout(QuietProgress())
    assert (place / "cluster.yml").read_text() == "first"
