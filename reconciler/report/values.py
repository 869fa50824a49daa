"""Turns whatever a cloud or a person wrote into one short, printable, secret-free line, before any format sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..model.change import Difference
from ..model.resource import Value
from ..text import visible, visible_line

ABSENT = "—"
REDACTED = "(redacted)"
VALUE_LIMIT = 120
TEXT_LIMIT = 600

_LINE_ENDS = re.compile(r"[ \t\r\n]+")
_GUARDED = r"(?:password|secret|token|private[_-]?key)"
_SECRET_NAME = re.compile(_GUARDED, re.IGNORECASE)
_SECRET_PAIR = re.compile(rf"({_GUARDED}[\w.-]*\s*[=:]\s*)[^\s,;]+", re.IGNORECASE)
# a value this short is a word such as "true": taking it out of a sentence would garble it and protect nothing
_SHORTEST_SECRET = 4


def line(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text` on one line of at most `limit` characters; what a terminal would obey, and what nobody would see,
    is written out."""
    # cut before cleaning, so that a megabyte costs no more than a line does
    head = text[: 4 * limit]
    clean = " ".join(visible_line(_LINE_ENDS.sub(" ", head)).split())
    whole = len(head) == len(text) and len(clean) <= limit
    return clean if whole else clean[: limit - 1].rstrip() + "…"


def is_secret(difference: Difference) -> bool:
    """Whether the difference's values are to stay out of reports, going by the names of its field and kind."""
    return difference.key.kind == "Secret" or bool(_SECRET_NAME.search(difference.field))


def short(value: Value, *, secret: bool = False) -> str:
    """Return `value` as people read it, at most 120 characters; what is absent stays visibly absent."""
    if value is None:
        return ABSENT
    text = _text(value)
    if secret or "PRIVATE KEY-----" in text:
        return REDACTED
    return line(_SECRET_PAIR.sub(rf"\1{REDACTED}", text[: 4 * TEXT_LIMIT]), VALUE_LIMIT)


def masked(text: str) -> str:
    """Return several lines, as they are but for what a terminal would obey and what looks like a secret."""
    if "PRIVATE KEY-----" in text:
        return REDACTED
    return visible(_SECRET_PAIR.sub(rf"\1{REDACTED}", text))


def told(text: str) -> str:
    """Return what a program or a cloud said, on one line, without what looks like a secret."""
    return line(_SECRET_PAIR.sub(rf"\1{REDACTED}", text[: 4 * TEXT_LIMIT]))


def reason(difference: Difference) -> str:
    """Return why the difference is there, without the values of a secret field."""
    text = difference.why
    if is_secret(difference):
        for value in _strings((difference.desired, difference.applied, difference.live)):
            text = text.replace(value, REDACTED)
    return line(text)


def some(names: Sequence[str], most: int = 8) -> str:
    """Join `names`, and count those beyond `most` instead of listing them."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def number(count: int, noun: str) -> str:
    """Return "1 step", "2 steps"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def about(seconds: float | None) -> str:
    """Return "about 20 s", "about 3 min", or that nobody knows."""
    if seconds is None:
        return "no estimate yet"
    return f"about {max(1, round(seconds))} s" if seconds < 100 else f"about {round(seconds / 60)} min"


def when(moment: str, set_at: str = "") -> str:
    """Return "since 2026-11-20 14:03 UTC", or that it is new; and when somebody set it, where that is known."""
    seen = f"since {_minute(moment)}" if moment else "new"
    return f"{seen}, set {_minute(set_at)}" if set_at else seen


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(_item(v) for v in value) or "[]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else '""'


def _item(value: Value) -> str:
    # mappings are normalised to sorted pairs: show them as what they were
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        return f"{value[0]}={_text(value[1])}"
    return f"({_text(value)})" if isinstance(value, tuple) else _text(value)


def _strings(values: Iterable[Value]) -> Iterable[str]:
    for value in values:
        if isinstance(value, tuple):
            yield from _strings(value)
        elif isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
            yield value
