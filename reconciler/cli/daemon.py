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
from ..serve.logs import Log, LogProgress
from ..serve.member import Begun, Served
from ..settings import Repository
from .context import Context


def served(context: Context, names: Sequence[str], ref: str, interval: float | None, log: Log) -> list[Served]:
    """What a daemon has. Each is opened when it begins, and again after a failure; of several each says in the `log`
    whose line is whose. Raises Invalid for a cluster that nobody has, as far as that is known now."""
    if not context.settings.repositories:
        app = context.app
        return [Served("", lambda: app.begun(_terms(context, app, names, ref, interval)))]
    repositories.forget_the_environment(os.environ)
    places = Places()
    return [
        Served(repository.name, _Opening(context, repository, places, clusters, ref, interval, log))
        for repository, clusters in chosen(context, names, ref).items()
    ]


def chosen(context: Context, names: Sequence[str], ref: str) -> dict[Repository, tuple[str, ...]]:
    """The repositories that are meant, and their clusters. Raises Invalid for a cluster that nobody has."""
    return repositories.chosen(context.settings.repositories, names, lambda each: _clusters(context, each, ref))


class _Opening:
    """One of several repositories, opened when it is called."""

    def __init__(
        self, context: Context, repository: Repository, places: Places, clusters: Sequence[str], ref: str,
        interval: float | None, log: Log,
    ) -> None:  # fmt: skip
        self._context = context
        self._repository = repository
        self._places = places
        self._clusters = clusters
        self._ref = ref
        self._interval = interval
        self._log = log

    def __call__(self) -> Begun:
        repository = self._repository
        app = self._context.app_of(repository)
        app.progress = LogProgress(self._log, {"repository": repository.name})
        self._places.take(repository.name, repositories.places(app.settings, app.path, app.state))
        return app.begun(_terms(self._context, app, self._clusters, repository.ref or self._ref, self._interval))


def _clusters(context: Context, repository: Repository, ref: str) -> Sequence[str] | None:
    """Its clusters by their folders in git; None where it can't be read now."""
    try:
        followed = context.app_of(repository).repository
        with contextlib.suppress(ReconcilerError):  # what is here counts when the remote does not answer
            followed.fetch()
        return revision(followed, repository.ref or ref, None).clusters
    except ReconcilerError:
        return None


def _terms(context: Context, app: App, names: Sequence[str], ref: str, interval: float | None) -> Terms:
    """The settings', and what the command line says instead. Who wants checks more often wants fetches as often."""
    options = context.settings.daemon
    every = interval or options.interval
    return Terms(
        ref=ref,
        observed=app.settings.git.observed_branch,
        names=tuple(names),
        interval=every,
        poll=min(options.poll, every),
        cloud_poll=min(options.cloud_poll, every),
        workers=options.workers,
    )
