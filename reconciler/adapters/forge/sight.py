"""What a forge says of its own settings, in three values: yes, no, and not seen. What a token may not look at, and an
answer of another shape, are not seen, so that neither reads as closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ...errors import Permanent
from ...ports import Boundary, Standing
from .http import Api

Seen = bool | None  # None: not seen


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; None with the reason why not."""

    value: Any
    why: str = ""

    @property
    def seen(self) -> bool:
        return self.value is not None

    @property
    def empty(self) -> Seen:
        """Whether a list has nothing in it."""
        return not self.value if isinstance(self.value, list) else None

    def missing(self, words: str) -> bool:
        """Whether the forge says in these words that there is no such thing."""
        return not self.seen and words in self.why

    def flag(self, *path: str) -> Seen:
        """The boolean at `path`; None where there is none."""
        found = self.at(*path)
        return found if isinstance(found, bool) else None

    def at(self, *path: str) -> Any:
        """What stands at `path`; None where nothing does."""
        found = self.value
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def items(self, *path: str) -> list[dict[str, Any]] | None:
        """The objects listed at `path`; None where there is no list of objects."""
        found = self.at(*path) if path else self.value
        return found if isinstance(found, list) and all(isinstance(item, dict) for item in found) else None


def ask(api: Api, path: str, needs: str, **parameters: str | int) -> Answer:
    """One object."""
    return _asked(lambda: api.get(path, needs, **parameters))


def ask_all(api: Api, path: str, needs: str, **parameters: str | int) -> Answer:
    """Every item of a list."""
    return _asked(lambda: list(api.pages(path, needs, **parameters)))


def ask_counted(api: Api, path: str, needs: str, key: str, **parameters: str | int) -> Answer:
    """The list below `key` of an answer that counts its items (`total_count`): one that is not whole is not seen."""
    answer = ask(api, path, needs, per_page=100, **parameters)
    listed = answer.items(key)
    if answer.seen and (listed is None or answer.at("total_count") != len(listed)):
        return Answer(None, f"{path} lists {len(listed or ())} of {answer.at('total_count')}")
    return Answer(listed, answer.why)


def _asked(get: Callable[[], Any]) -> Answer:
    """Raises Transient when the forge does not answer at all, Invalid without a token."""
    try:
        return Answer(get())
    except Permanent as error:
        return Answer(None, error.message)
    except (ValueError, TypeError, AttributeError):  # no JSON, or of another shape
        return Answer(None, "the answer is not what the documentation says")


def either(*values: Seen) -> Seen:
    """True when one is; False when all are not; else not seen."""
    return True if True in values else None if None in values else False


def both(*values: Seen) -> Seen:
    """False when one is not; True when all are; else not seen."""
    return False if False in values else None if None in values else True


def standing(closed: Seen) -> Standing:
    return {True: Standing.CLOSED, False: Standing.OPEN, None: Standing.UNSEEN}[closed]


def boundary(name: str, closed: Seen, details: tuple[str, str], hints: tuple[str, str], why: str = "") -> Boundary:
    """`details` are for closed and open; `hints` for open (how to close it) and not seen (which right it takes)."""
    detail = {True: details[0], False: details[1], None: f"could not be seen: {why}" if why else "could not be seen"}
    return Boundary(name, standing(closed), detail[closed], {True: "", False: hints[0], None: hints[1]}[closed])


def unseen(name: str, why: str, hint: str) -> Boundary:
    """A boundary that could not be seen at all."""
    return boundary(name, None, ("", ""), ("", hint), why)


def names(items: Iterable[dict[str, Any]], key: str = "name") -> str:
    """Up to five names, as a person reads them."""
    found = ["".join(c if c.isprintable() else "?" for c in str(item.get(key, "?")))[:80] for item in items]
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
