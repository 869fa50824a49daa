"""A commit's message: a title, lines, trailers for programs. No piece of it can become another line or a trailer.

An error of an API stands in a line. With a line end in it, it could say `Desired-Commit: …`; with an @name or #1 a
forge would send somebody a message or close an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..text import visible_line

_LONGEST = 500  # characters of a line
# A space after the sign is read by people as before, and by GitHub, GitLab and Gitea as nothing.
_REFERENCE = re.compile(r"(?<!\w)[@~](?=\w)|[#!%&$](?=\d)|\b(?:GH|gh)-(?=\d)")


def commit_message(title: str, lines: Iterable[str] = (), trailers: Iterable[tuple[str, str]] = ()) -> str:
    """Git's own form: paragraphs of `title`, `lines` and `trailers`, those without any left out."""
    body = [_line(line) for line in lines if line.strip()]
    ends = [f"{name}: {visible_line(value)}" for name, value in trailers]
    paragraphs = ([_line(title)], body, ends)
    return "\n\n".join("\n".join(paragraph) for paragraph in paragraphs if paragraph) + "\n"


def _line(text: str) -> str:
    clean = _REFERENCE.sub(r"\g<0> ", visible_line(text[:_LONGEST]))
    return f"{clean}…" if len(text) > _LONGEST else clean
