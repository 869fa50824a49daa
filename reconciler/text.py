r"""Text that others wrote, made harmless to look at: what is not seen, or moves what is seen, is written out (\u202e).

A server's name, an API's error, a webhook's header reach terminals, logs and commits. There a control character is
obeyed, and a bidirectional one makes a line read as another. Each sink calls this, so that no source has to.
Letters of every script, their marks and emoji stay as they are.
"""

from __future__ import annotations

import re

# Where a (non-)joiner is orthography: Arabic to Mongolian, Indic and their neighbours (Unicode 16, chapter 23.2).
_SCRIPTS = "\u0620-\u109f\u1700-\u180a\u1810-\u1cff\ua800-\uabff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
_EMOJI = "\u00a9\u00ae\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_KEPT = "|".join(
    (
        f"(?<=[{_SCRIPTS}])[\u200c\u200d](?=[{_SCRIPTS}])",
        f"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])",
        f"(?<=[{_EMOJI}#*0-9])[\ufe0e\ufe0f]",
        f"(?<=[{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]",
    )
)
# Controls, surrogates, separators of lines, what has a direction, everything that Unicode calls ignorable by default,
# letters and symbols that are drawn as nothing, private characters, noncharacters, and planes where nothing is yet.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U0001fffe\U0001ffff\U0002fffe\U0002ffff"
    "\U0003fffe-\U0010ffff"
)
_LINE = re.compile(f"(?:{_KEPT})|([{_HIDDEN}])")
_LINES = re.compile(rf"(?:{_KEPT})|(?![\n\t])([{_HIDDEN}])")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    r"""Several lines: line ends (\n) and tabs stay."""
    return text if _plain(text) else _LINES.sub(_escape, text)


def visible_line(text: str) -> str:
    r"""One line, whatever stands in it: a line end becomes \n, a tab \t."""
    return text if _plain(text) else _LINE.sub(_escape, text)


def escape_json(document: str) -> str:
    """A JSON document with the same meaning, in which every hidden character of a string is JSON's own escape."""
    return document if _plain(document) else _LINES.sub(_escape_json, document)


def hidden(text: str) -> bool:
    """Whether `visible` would write something of it out."""
    return not _plain(text) and any(found[1] for found in _LINES.finditer(text))


def _plain(text: str) -> bool:
    """Most text is; isprintable is three times as fast as a search."""
    return text.isascii() and text.isprintable()


def _escape(found: re.Match[str]) -> str:
    char = found[1]
    return found[0] if char is None else _SHORT.get(char) or _number(char)


def _escape_json(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    units = found[1].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _number(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
