"""What a daemon is given: the repositories of the settings, or the one clone, each with what begins with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from .. import repositories
from ..app import App
from ..control.revision import revision
from ..control.ways import Terms
from ..errors import ReconcilerError
from ..repositories import Places
from ..serve.member import Begun, Served
from ..settings import Repository
from .context import Context


def served(mine: Context, names: Sequence[str], ref: str, interval: float | None) -> list[Served]:
    """What a daemon has. Each is opened when it begins, and again after a failure. Raises Invalid for a cluster that
    nobody has, as far as that is known now."""
    if not mine.settings.repositories:
        app = mine.app
        return [Served("", lambda: app.begun(_terms(mine, app, names, ref, interval)))]
    repositories.forget_the_environment(os.environ)
    places = Places()
    return [
        Served(repository.name, _Opening(mine, repository, places, clusters, ref, interval))
        for repository, clusters in chosen(mine, names, ref).items()
    ]


def chosen(mine: Context, names: Sequence[str], ref: str) -> dict[Repository, tuple[str, ...]]:
    """The repositories that are meant, and their clusters. Raises Invalid for a cluster that nobody has."""
    return repositories.chosen(mine.settings.repositories, names, lambda each: _clusters(mine, each, ref))


class _Opening:
    """One of several repositories, opened when it is called."""

    def __init__(
        self, mine: Context, repository: Repository, places: Places, clusters: Sequence[str], ref: str,
        interval: float | None,
    ) -> None:  # fmt: skip
        self._mine = mine
        self._repository = repository
        self._places = places
        self._clusters = clusters
        self._ref = ref
        self._interval = interval

    def __call__(self) -> Begun:
        repository = self._repository
        app = self._mine.app_of(repository)
        self._places.take(repository.name, repositories.places(app.settings, app.path, app.state))
        return app.begun(_terms(self._mine, app, self._clusters, repository.ref or self._ref, self._interval))


def _clusters(mine: Context, repository: Repository, ref: str) -> Sequence[str] | None:
    """Its clusters by their folders in git; None where it can't be read now."""
    try:
        followed = mine.app_of(repository).repository
        with contextlib.suppress(ReconcilerError):  # what is here counts when the remote does not answer
            followed.fetch()
        return revision(followed, repository.ref or ref, None).clusters
    except ReconcilerError:
        return None


def _terms(mine: Context, app: App, names: Sequence[str], ref: str, interval: float | None) -> Terms:
    """The settings', and what the command line says instead. Who wants checks more often wants fetches as often."""
    said = mine.settings.daemon
    every = interval or said.interval
    return Terms(
        ref=ref,
        observed=app.settings.git.observed_branch,
        names=tuple(names),
        interval=every,
        poll=min(said.poll, every),
        cloud_poll=min(said.cloud_poll, every),
        workers=said.workers,
    )
