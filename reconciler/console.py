"""The one way to a terminal or a job's log: what others wrote is shown, and neither the terminal nor a runner obeys it.

Rich writes control characters on as they are, reads [markup] and :emoji: in strings, and a runner of GitHub Actions
obeys lines that begin with `::`. Here all of it ends, after tables and colours are done and before anything is written.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from .text import visible

_COMMAND = re.compile(r"(?m)^(\s*):(?=:)|#(?=#\[)")


class Console(RichConsole):
    """Strings are text and nothing else; colours come as Rich's own types."""

    def __init__(
        self, file: TextIO, *, soft_wrap: bool = False, width: int | None = None, force_terminal: bool | None = None
    ) -> None:
        super().__init__(
            file=file,
            soft_wrap=soft_wrap,
            width=width,
            force_terminal=force_terminal,
            color_system=None if os.environ.get("NO_COLOR") else "auto",  # Rich alone would still write bold and dim
            markup=False,
            emoji=False,
            highlight=False,
        )

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's own, each piece of text cleaned; control codes that Rich made for itself are no text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(inert(segment.text), segment.style)


def inert(text: str) -> str:
    r"""Text as a terminal shows it; in a job of GitHub Actions also without what its runner would take for a command
    (written \u003a:)."""
    shown = visible(text)
    return _COMMAND.sub(_escape, shown) if os.environ.get("GITHUB_ACTIONS") else shown


def _escape(found: re.Match[str]) -> str:
    return r"\u0023" if found[0] == "#" else rf"{found[1]}\u003a"


def emit(text: str) -> None:
    """A document to stdout: YAML, Markdown, HTML or JSON of ours."""
    sys.stdout.write(visible(text))


def complain(text: str) -> None:
    """A line to stderr, where there may be no console yet."""
    sys.stderr.write(inert(text) + "\n")
