"""Text of others inside our Markdown and HTML: it reads as it is, links nowhere, and nobody is notified by it.

GitHub, GitLab and Gitea look for addresses, @names, #1, commits' hashes and their like in the text that a page shows,
after Markdown is done with: entities and backslashes hide nothing from that. They leave code alone. So plain words stay
words, and whatever holds anything else is a code span.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape as _entities
from itertools import groupby

from ..text import visible_line

# Words with what a sentence puts around them, small numbers, and signs of ours. Seven letters may be a commit's hash.
_WORD = r"(?![a-fA-F]{7,}\b)[^\W\d_]+(?:['\u2019-](?![a-fA-F]{7,}\b)[^\W\d_]+)*"
_NUMBER = r"[0-9]{1,6}%?"
_PLAIN = re.compile(rf"[(\"']?(?:{_WORD}|{_NUMBER})[)\"']?[.,;:!?…]?[)\"']?|[—\u2013→…·]")
_BEGINS_A_LIST = re.compile(r"[0-9]+[.)]")


def prose(text: str) -> str:
    """A sentence in Markdown, outside of tables."""
    return " ".join(_spans(visible_line(text).split(" "), _span))


def html_prose(text: str) -> str:
    """A sentence on a line of HTML in Markdown."""
    return " ".join(_spans(visible_line(text).split(" "), html_code))


def _spans(words: list[str], span: Callable[[str], str]) -> Iterator[str]:
    """Plain words, and between them code spans of all that are not; a stop behind one is the sentence's own."""
    for plain, run in groupby(enumerate(words), key=_is_plain):
        text = " ".join(word for _, word in run)
        bare = text.rstrip(".,;:")
        yield text if plain or not bare else span(bare) + text[len(bare) :]


def _is_plain(entry: tuple[int, str]) -> bool:
    place, word = entry
    return not word or bool(_PLAIN.fullmatch(word) and not (place == 0 and _BEGINS_A_LIST.match(word)))


def code(text: str) -> str:
    """A value in Markdown, outside of tables."""
    return _span(visible_line(text))


def cell(text: str) -> str:
    r"""A value in a cell of a table. A row is cut at its bars before code spans are looked for: \| is a bar in one, and
    a backslash before it would take that back."""
    clean = re.sub(r"\\(?=\\*\|)", r"\\u005c", visible_line(text))
    return _span(clean).replace("|", r"\|")


def _span(text: str) -> str:
    """A code span that nothing in it can close (CommonMark 6.1)."""
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    room = " " if not text.strip() or text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{room}{text}{room}{ticks}" if text else "` `"


def html(text: str) -> str:
    """Text in a page of ours, or in an attribute."""
    return _entities(visible_line(text))


def html_code(text: str) -> str:
    """A value on a line of HTML in Markdown, which no Markdown is looked for in."""
    return f"<code>{html(text)}</code>"
