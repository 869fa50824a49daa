"""Several repositories under one daemon: which settings are whose, and that no two of them share a place.

The daemon's own file says where it listens and which repositories there are. What lets somebody in anywhere (clouds,
keys, kubeconfigs, secrets) stands in the file of one repository, and counts for that one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import settings as machine
from .errors import Invalid, Problem
from .settings import Repository, Settings
from .spec.yaml import Document

# What the daemon's own file may say beside `repositories`; the last three hold for repositories that say nothing else.
_DAEMONS = frozenset({"repositories", "http", "daemon", "webhook", "state", "cache", "tools"})
_INHERITED = ("state", "cache", "tools")
_NOT_ITS_OWN = (("repositories",), ("http",), ("daemon",), ("webhook", "maxBytes"), ("webhook", "perMinute"))
_VARIABLES = (("webhook", "secretVariable"), ("terraform", "keyVariable"), ("http", "tokenVariable"))
_NEEDED = ("clouds", "sshKey")  # else they would be those of the user whom the daemon runs as, the same for all
_FILE_INSTEAD = "every program that is started for any repository could read it: name a file"

# What programs need of the machine. All else in the environment of a process may let somebody in somewhere, and the
# process is everybody's.
_KEPT = frozenset(
    {
        *("PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"),
        *("TERM", "COLUMNS", "LINES", "LANG", "LANGUAGE", "TZ"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_COLOR", "CI", "VIRTUAL_ENV"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("GOTOOLCHAIN", "GOPROXY", "GOSUMDB", "GOPATH", "GOCACHE", "NOTIFY_SOCKET", "INVOCATION_ID"),
        *("RECONCILER_CACHE", "RECONCILER_CONFIG", "RECONCILER_DEBUG"),
    }
)
_KEPT_BEGINNINGS = ("LC_", "XDG_", "PYTHON", "COVERAGE_")


def load(file: Path | None) -> Settings:
    """The settings of this machine, as `settings.load` finds them. Raises Invalid, with file:line, also for what stands
    beside `repositories` and is each repository's own, and for two of these that are one clone or one in the other."""
    path = machine.place(file)
    if path is None:
        return Settings()
    loaded, document = machine.read(path)
    if loaded.repositories and document is not None:
        _refuse([*_not_the_daemons(document), *_one_in_another(loaded.repositories, document)])
    return loaded


def own(repository: Repository, daemon: Settings) -> Settings:
    """The settings of one of the daemon's repositories. Raises Invalid, with file:line, for what is the daemon's, what
    every program of this process could read, and what would else be the same for all."""
    loaded, document = machine.read(repository.settings)
    given = document.value if document is not None and isinstance(document.value, dict) else {}
    if document is not None:
        _refuse(
            [
                *_each(document, _NOT_ITS_OWN, "is the daemon's", "say it in the daemon's own settings"),
                *_each(document, _VARIABLES, "is in the environment of the daemon's process", _FILE_INSTEAD),
            ]
        )
    if missing := [name for name in _NEEDED if name not in given]:
        hint = "what is not said there would be of the user whom the daemon runs as, and the same for every repository"
        raise Invalid(f"{repository.settings} names no {missing[0]}", hint=hint)
    inherited = {n: getattr(daemon, n) for n in _INHERITED if n in daemon.model_fields_set and n not in given}
    return loaded.model_copy(update=inherited)


def named(repositories: Sequence[Repository], repo: Path) -> Repository | None:
    """The repository that `--repo` means: by its name, or by where its clone is; None for no one of these."""
    by_name = (each for each in repositories if str(repo) == each.name)
    by_place = (each for each in repositories if _real(each.path) == _real(repo))
    return next(by_name, None) or next(by_place, None)


def forget_the_environment(environment: MutableMapping[str, str]) -> None:
    """Take everything out of this process's environment that could let somebody in somewhere."""
    for name in [n for n in environment if n not in _KEPT and not n.startswith(_KEPT_BEGINNINGS)]:
        del environment[name]


Known = Callable[[Repository], Sequence[str] | None]


def chosen(repositories: Sequence[Repository], names: Sequence[str], known: Known) -> dict[Repository, tuple[str, ...]]:
    """Which of the repositories are meant by `names` (REPOSITORY/CLUSTER, or CLUSTER in whichever has one), each with
    its clusters' names (none: all). `known` tells which clusters there are, None where nobody can say now. Raises
    Invalid for a name that nothing here has."""
    if not names:
        return dict.fromkeys(repositories, ())
    there = {each: known(each) for each in repositories}
    meant: dict[Repository, list[str]] = {}
    for name in names:
        repository, slash, cluster = name.rpartition("/")
        hits = [r for r in repositories if _has(there[r], cluster) and (not slash or r.name == repository)]
        if not hits:
            raise Invalid(f"there is no cluster {name!r} in the daemon's repositories", hint=_there(there))
        for each in hits:
            meant.setdefault(each, []).append(cluster)
    return {each: tuple(dict.fromkeys(meant[each])) for each in repositories if each in meant}


def places(loaded: Settings, clone: Path, state: Path) -> dict[str, Path]:
    """Where a repository has what is nobody else's, by what settings call it: its folders and what lets it in."""
    each: dict[str, Path | None] = {
        "the clone": clone,
        "the state": state,
        "kubeconfigs": loaded.kubeconfigs,
        "clouds": loaded.clouds,
        "sshKey": loaded.ssh_key,
        "sops.keyFile": loaded.sops.key_file,
        "terraform.keyFile": loaded.terraform.key_file,
        "terraform.stateCredentials": loaded.terraform.state_credentials,
        "webhook.secretFile": loaded.webhook.secret_file,
        "git.signingKey": loaded.git.signing_key,
        "backups.folder": loaded.backups.folder,
        "backups.identity": loaded.backups.identity,
        **{f"openshift.{name}.kubeconfig": target.kubeconfig for name, target in loaded.openshift.items()},
    }
    return {what: place for what, place in each.items() if place is not None}


@dataclass
class Places:
    """Whose each folder and each file of credentials is, for several threads."""

    _whose: dict[str, dict[str, Path]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, name: str, places: Mapping[str, Path]) -> None:
        """From now on these are of the repository `name`, by what settings call them. Raises Invalid for one that is
        another repository's, or lies in one of it."""
        wanted = {what: _real(place) for what, place in places.items()}
        with self._guard:
            for other, theirs in self._whose.items():
                for what, place in wanted.items():
                    hit = next((t for t, at in theirs.items() if other != name and _touch(place, at)), None)
                    if hit:
                        message = f"{what} of {name} is {place}, where {hit} of {other} is"
                        raise Invalid(message, hint="give each repository folders and credentials of its own")
            self._whose[name] = wanted


def _has(clusters: Sequence[str] | None, cluster: str) -> bool:
    return clusters is None or cluster in clusters


def _there(known: Mapping[Repository, Sequence[str] | None]) -> str:
    names = [f"{r.name}/{cluster}" for r, clusters in known.items() for cluster in clusters or ()]
    return f"there are: {', '.join(names) or 'none'}"


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise Invalid("the settings have a mistake", problems=problems)


def _each(document: Document, paths: Sequence[tuple[str, ...]], message: str, hint: str) -> Iterator[Problem]:
    for path in paths:
        value = document.value
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            yield document.problem(path, message, hint)


def _not_the_daemons(document: Document) -> Iterator[Problem]:
    hint = "write it into the settings of each repository"
    for key in document.value:
        if key not in _DAEMONS:
            yield document.problem((key,), "is each repository's own, where there are several", hint)
    yield from _each(document, (("webhook", "secretFile"),), "is each repository's own, where there are several", hint)
    yield from _each(document, _VARIABLES, "is in the environment of the daemon's process", _FILE_INSTEAD)


def _one_in_another(repositories: Sequence[Repository], document: Document) -> Iterator[Problem]:
    """Whoever has the other's name, clone, a folder in it, or settings."""
    for index, each in enumerate(repositories):
        for other in repositories[:index]:
            at = ("repositories", index)
            if each.name == other.name:
                yield document.problem((*at, "name"), f"{each.name!r} is the name of another one already")
            if _touch(_real(each.path), _real(other.path)) or _objects(each.path) == _objects(other.path):
                message = f"is the same clone as {other.name}'s, or one lies in the other"
                yield document.problem((*at, "path"), message, "clone it again, beside the other")
            if _real(each.settings) == _real(other.settings):
                hint = "what is one repository's own stands in a file of its own"
                yield document.problem((*at, "settings"), f"is the file of {other.name}", hint)


def _touch(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _objects(clone: Path) -> Path:
    """Where git keeps what a clone has: of a linked working tree that is another clone's folder."""
    link = clone / ".git"
    try:
        if link.is_file():
            folder = clone / link.read_text().removeprefix("gitdir:").strip()
            common = folder / "commondir"
            return _real(folder / common.read_text().strip() if common.is_file() else folder)
    except (OSError, UnicodeDecodeError):  # then it is no clone, which is said when it is opened
        return _real(clone)
    return _real(link if link.is_dir() else clone)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # links that lead nowhere are no mistake of ours
