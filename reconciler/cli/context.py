"""What every verb starts from: the clone, the settings, and how progress is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import typer

from .. import repositories
from ..app import App
from ..console import complain
from ..control.claims import Claims
from ..control.revision import FOLDERS, Desired
from ..errors import Invalid, ReconcilerError
from ..ports import Progress
from ..progress import QuietProgress, RichProgress
from ..report.values import number, some
from ..settings import Repository, Settings
from ..spec.load import DesiredCluster, select


@dataclass
class Context:
    """Made once per run from the global options; everything else is made when it is first needed. `repo` is a clone, or
    the name of one of the repositories in the settings."""

    repo: Path
    config: Path | None
    quiet: bool

    @cached_property
    def progress(self) -> Progress:
        return QuietProgress() if self.quiet else RichProgress()

    @cached_property
    def settings(self) -> Settings:
        """Those of this machine, whichever repositories it has."""
        return repositories.load(self.config)

    @cached_property
    def app(self) -> App:
        """Of the one clone, or of the repository that is meant. Raises Invalid where the settings have several, and
        nothing says which."""
        several = self.settings.repositories
        if not several:
            return App(self.settings, self.repo, self.progress)
        meant = repositories.named(several, self.repo)
        if meant is None:
            names = ", ".join(each.name for each in several)
            raise Invalid("the settings name several repositories", hint=f"say which one with --repo: {names}")
        return self.app_of(meant)

    def app_of(self, repository: Repository) -> App:
        """Of one of several repositories, by its own settings alone. Raises Invalid for what is wrong with these."""
        own = repositories.own(repository, self.settings)
        names = frozenset(each.name for each in self.settings.repositories)
        claims = Claims(self.settings.state_folder / "claims.json", names)
        return App(own, repository.path, self.progress, repository.name, claims, repository.ref or "HEAD")

    def at(self, repository: Repository) -> Context:
        """The same for one of several repositories."""
        return Context(Path(repository.name), self.config, self.quiet)

    def select(self, state: Desired, names: Sequence[str] | None) -> tuple[DesiredCluster, ...]:
        """The clusters called `names`, or all. Raises Invalid for a name nobody has, and what is wrong with one of
        these that could not be loaded."""
        chosen = self.loaded(state, names)
        for error in self.failed(state, names).values():
            raise error
        return chosen

    def loaded(self, state: Desired, names: Sequence[str] | None) -> tuple[DesiredCluster, ...]:
        """Those of the clusters called `names`, or of all, that could be loaded. Raises Invalid for an unknown name."""
        return select(state.clusters, tuple(names or ()), state.failed)

    @staticmethod
    def failed(state: Desired, names: Sequence[str] | None) -> Mapping[str, ReconcilerError]:
        """What is wrong with the others of these."""
        return {name: error for name, error in state.failed.items() if not names or name in names}

    def mention_uncommitted(self, ref: str) -> None:
        """Say which changes of the working tree do not count, where the commit that is checked out does."""
        if ref != "HEAD" or self.quiet:
            return
        paths = self.app.checkout.uncommitted(FOLDERS)
        if paths:
            shown = f"{number(len(paths), 'file')} not committed, so not in this: {some(paths, 3)}"
            complain(f"note: {shown} (reconciler validate checks them as they lie on disk)")

    def fetch(self) -> None:
        """Bring desired and observed state up to date with the remote, where there is one."""
        self.app.repository.fetch()


def context(ctx: typer.Context) -> Context:
    """The Context of this run."""
    found = ctx.obj
    if not isinstance(found, Context):
        raise TypeError("the root callback did not run")
    return found
