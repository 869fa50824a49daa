"""Where the playbooks come from: a folder that somebody keeps, or Kubespray itself at a pinned commit, fetched once."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import yaml

from ... import process
from ...errors import Invalid, Permanent, ReconcilerError, Transient
from ...model.hosts import ANY_PUBLIC, Hosts
from ...ports import Progress
from ...toolchain.store import Store
from .python import Python, asks_for_ansible

UPSTREAM = "https://github.com/kubernetes-sigs/kubespray"
VERSION_FILE = "kubespray/version.yaml"  # from the root of a repository, be it the GitOps one or this project's
_OURS = Path(__file__).resolve().parents[3] / VERSION_FILE
_TAG = r"\w[\w.+-]*"  # a file name as it is, and never an option of git
_COMMIT = r"[0-9a-f]{40}"
_GIT_SECONDS = 900.0
# what a hook that starts us has set, and would point git at another repository
_FOREIGN = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
)
_LASTING = (
    "Remote branch .* not found|does not appear to be a git repository|[Rr]epository .*(not found|does not exist)"
    "|dubious ownership|Authentication failed|could not read (Username|Password)|Permission denied"
    "|Host key verification failed|No space left on device|Disk quota exceeded|returned error: 30[1278]"
    "|unable to update url base from redirection"
)


@dataclass(frozen=True, slots=True)
class Installed:
    """Playbooks that can be run. `folder` is the one with cluster.yml, `programs` the one with ansible-playbook."""

    folder: Path
    programs: Path

    def entry_point(self, name: str) -> str:
        """The path of a playbook in the folder: Kubespray has facts.yml among its playbooks only. Raises Invalid."""
        for path in (name, f"playbooks/{name}"):
            if (self.folder / path).is_file():
                return path
        raise Invalid(f"there is no {name} in {self.folder}", hint="point the settings at Kubespray's folder")


class Source(Protocol):
    """Playbooks, made ready at their first use."""

    def ensure(self, progress: Progress) -> Installed:
        """Return the playbooks and their Ansible, got first where they are not here yet. Raises Transient (network),
        Permanent (not what was pinned, a package that can't be had), Invalid (a wrong pin or setting)."""

    def here(self) -> Path | None:
        """The folder with the playbooks; None where they were not fetched yet. Asks nobody. Raises Invalid."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One release: its tag, and the commit that the tag has to be at."""

    tag: str
    commit: str


def read_pin(text: bytes | None) -> Pin:
    """Read the pin from the content of a `kubespray/version.yaml`, from this project's own where there is none.
    Raises Invalid."""
    try:
        said = yaml.safe_load(_OURS.read_bytes() if text is None else text)
    except OSError:
        raise Invalid(
            f"no {VERSION_FILE} says which Kubespray to use", hint="copy it to the GitOps repository"
        ) from None
    except yaml.YAMLError as error:
        raise Invalid(f"{VERSION_FILE} is not YAML: {error}") from None
    values = said if isinstance(said, dict) else {}
    tag, commit = (values.get(name) for name in ("tag", "commit"))
    if not (isinstance(tag, str) and re.fullmatch(_TAG, tag, re.ASCII)):
        raise Invalid(f"{VERSION_FILE} has no tag of Kubespray (tag: v2.31.0)")
    if not (isinstance(commit, str) and re.fullmatch(_COMMIT, commit)):
        raise Invalid(
            f"{VERSION_FILE} does not say which commit {tag} is at",
            hint=f"add `commit:`, all 40 digits; `git ls-remote {UPSTREAM} '{tag}*'` prints it (with ^{{}} at its end, "
            "where there is such a line)",
        )
    return Pin(tag, commit)


@dataclass(frozen=True, slots=True)
class Given:
    """A folder with playbooks that is there already. Where it has Kubespray's requirements.txt, an environment made of
    it is kept in `cache`; playbooks without one run with the Ansible beside our own Python."""

    path: Path
    cache: Path

    def here(self) -> Path | None:
        return self.path.expanduser().resolve()

    def ensure(self, progress: Progress) -> Installed:
        folder = self.path.expanduser().resolve()
        requirements = folder / "requirements.txt"
        if not asks_for_ansible(requirements):
            return Installed(folder, Path(sys.executable).parent)
        return Installed(folder, Python(requirements, _store(self.cache)).ensure(progress))


@dataclass(frozen=True, slots=True)
class Release:
    """Kubespray at the commit that `version`, the content of a version file, names (None: the project's own).

    It is cloned into `cache` from `url`: any address git takes, or the path of a repository. Once there it needs no
    network. `hosts` limits whom Kubespray's own address may be asked at; another address is one that the settings
    name."""

    version: bytes | None
    url: str
    cache: Path
    hosts: Hosts = ANY_PUBLIC

    def ensure(self, progress: Progress) -> Installed:
        return Given(self.checkout(progress), self.cache).ensure(progress)

    def here(self) -> Path | None:
        place = self._place(read_pin(self.version))
        return place if place.is_dir() else None

    def checkout(self, progress: Progress) -> Path:
        """Return the folder with the playbooks. It appears there whole or not at all; of several processes one clones
        while the others wait."""
        pin = read_pin(self.version)
        store, place = _store(self.cache), self._place(pin)
        if place.is_dir():
            return place
        waiting = partial(progress.log, f"Kubespray {pin.tag}: waiting for another process that fetches it")
        self._check_host()
        with store.scratch(place.name, waiting) as scratch:
            if not place.is_dir():
                clone = scratch / str(os.getpid())  # git may outlive a killed run a little, and cleans up what it made
                with progress.task(f"fetching Kubespray {pin.tag}"):
                    _clone(self.url, pin, clone)
                clone.rename(place)
        return place

    def _check_host(self) -> None:
        """Raises Invalid."""
        host = urlsplit(UPSTREAM).hostname or ""
        if self.url == UPSTREAM and not self.hosts.suits(host, 443):
            hint = (
                f"add {host} to fetch.hosts in the settings, or name a mirror (kubesprayMirror) or a folder (kubespray)"
            )
            raise Invalid(f"Kubespray can't be fetched: {host} is not among the hosts that may be asked", hint=hint)

    def _place(self, pin: Pin) -> Path:
        return _store(self.cache).root / f"{pin.tag}-{pin.commit}"


def _store(cache: Path) -> Store:
    return Store(cache.expanduser().absolute() / "kubespray")


def _clone(url: str, pin: Pin, into: Path) -> None:
    where = os.path.expanduser(url)
    redact = process.Redactor(_credentials(where))
    shown = redact(where)
    if shutil.which("git") is None:
        raise Permanent("git was not found", hint="install git, or put it on PATH")
    # no host but the one that is named: no redirect, no submodule, none that the files name for git-lfs
    alone = ("-c", "http.followRedirects=false", "-c", "submodule.recurse=false")
    settings = ("-c", "advice.detachedHead=false", "-c", "core.hooksPath=/dev/null", *alone)
    shallow = ("--quiet", "--depth", "1", "--single-branch", "--branch", pin.tag, "--template=")
    argv = ["git", *settings, "clone", *shallow, "--", where, str(into)]
    try:
        process.run(argv, env=_environment(), timeout=_GIT_SECONDS, redact=redact)
    except ReconcilerError as error:
        raise _refused(error, shown, pin) from None
    found = process.run(["git", "-C", into, "rev-parse", "HEAD"], env=_environment(), timeout=60).stdout.strip()
    if found != pin.commit:
        raise Permanent(
            f"{pin.tag} of {shown} is commit {found}, pinned is {pin.commit}",
            hint=f"find out who moved the tag, or what the mirror serves; a new release needs both in {VERSION_FILE}",
        )
    shutil.rmtree(into / ".git")  # nothing of it is needed to run playbooks, and the address may hold a password


def _environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    # nobody is there to answer; errors are read below
    return {**ours, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}


def _refused(error: ReconcilerError, url: str, pin: Pin) -> ReconcilerError:
    """What a clone that failed means: the same again tomorrow, or the network."""
    if error.evidence is None:  # git was never at fault: somebody asked us to stop
        return error
    text = "\n".join(error.evidence.last_lines)
    if re.search(_LASTING, text):
        hint = (
            f"does it have the tag {pin.tag}, and may this account read it? `kubesprayMirror` in the settings names it "
            "(an address that only leads to it is not followed)"
        )
        return Permanent(f"Kubespray {pin.tag} can't be cloned from {url}", hint=hint, evidence=error.evidence)
    return Transient(
        f"Kubespray {pin.tag} can't be fetched from {url} now",
        hint="without a way there, name a mirror (`kubesprayMirror`) or a folder (`kubespray`) in the settings",
        evidence=error.evidence,
    )


def _credentials(url: str) -> set[str]:
    """User and password of an address, as they are written and as they are meant, so that no message shows them."""
    user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
    secrets = {password or (user if url.startswith("http") else "")}
    return {form for secret in secrets if secret for form in (secret, unquote(secret))}
