"""What a verb found as a folder of files (`--report`), also when it failed: the verbs below `ci` tell it from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from ..errors import Invalid, ReconcilerError
from ..report import bundle
from ..report.bundle import Failure, Report
from ..report.view import View

Folder = Annotated[
    Path | None,
    typer.Option("--report", metavar="DIR", help="Write all that was found into this folder, for `reconciler ci`."),
]


@dataclass
class Found:
    """Filled while a verb runs."""

    commit: str = ""
    views: list[View] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def report(self, verb: str) -> Report:
        return Report(verb, self.commit, tuple(self.views), tuple(self.failures))

    def failed(self, error: ReconcilerError, cluster: str = "") -> None:
        self.failures.append(Failure.of(error, cluster))


@contextmanager
def reported(verb: str, folder: Path | None) -> Iterator[Found]:
    """Write what was found when the block ends, an error that ends it included, which goes on. Without a folder nothing
    is written. A run that is cut off leaves no report, and none of an earlier one: half of what there is would read as
    all of it."""
    found = Found()
    if folder is not None:
        _forget(folder)
    try:
        yield found
    except ReconcilerError as error:
        found.failed(error)
        write(folder, found.report(verb))
        raise
    write(folder, found.report(verb))


def read(folder: Path) -> Report:
    """The report in a folder that `--report` made, or in its file. Raises Invalid."""
    file = folder if folder.is_file() else folder / bundle.FILE
    try:
        return bundle.read(file.read_bytes(), str(file))
    except OSError as error:
        hint = "give plan, drift, validate or run --report with the same folder first"
        raise Invalid(f"cannot read the report {file}: {error.strerror}", hint=hint) from None


def _forget(folder: Path) -> None:
    try:
        (folder / bundle.FILE).unlink(missing_ok=True)
    except OSError as error:
        raise Invalid(f"cannot write the report {folder}: {error.strerror}", hint="--report names a folder") from None


def write(folder: Path | None, report: Report) -> None:
    """Write the report's files, where there is a folder for them. Raises Invalid."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in bundle.files(report).items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"cannot write the report {folder}: {error.strerror}", hint="--report names a folder") from None
