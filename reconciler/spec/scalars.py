"""What an unquoted word means: the core schema of YAML 1.2 (section 10.3.2), where `no` is text and `010` is ten."""

from __future__ import annotations

import re
from typing import TypeAlias

Scalar: TypeAlias = "str | int | float | bool | None"

_PLAIN = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
}
_ANY = re.compile("|".join(f"(?P<{kind}>{pattern.pattern})" for kind, pattern in _PLAIN.items()))
KINDS = (*_PLAIN, "str")
_BEGINS = "~nNtTfF.+-0123456789"  # whatever else begins a word, it is text
_LONGEST = 400  # no number a person writes is longer, and Python takes time that grows with the square


def kind_of(word: str) -> str:
    """Which of null, bool, int, float and str an unquoted word is."""
    if word[:1] not in _BEGINS:
        return "str"
    match = _ANY.fullmatch(word)
    return str(match.lastgroup) if match else "str"


# What Kubernetes makes of words that YAML 1.2 reads otherwise, by the resolver of go-yaml 2, which reads its manifests.
_OLDER = {
    **{word: True for base in ("y", "yes", "on") for word in (base, base.capitalize(), base.upper())},
    **{word: False for base in ("n", "no", "off") for word in (base, base.capitalize(), base.upper())},
}
_OLDER_INT = re.compile(r"[-+]?(0[0-9_]+|0b[01_]+|[1-9][0-9]*(_[0-9]+)+)")


def older(word: str) -> bool | int | None:
    """What an unquoted word is to Kubernetes, where that is another value than here: yes is true, 0644 is 420. None for
    words that both read alike."""
    if word in _OLDER:
        return _OLDER[word]
    if len(word) > _LONGEST or word[:1] not in "0123456789+-" or not _OLDER_INT.fullmatch(word):
        return None
    digits = word.replace("_", "")
    sign, size = (-1 if digits[0] == "-" else 1), digits.lstrip("+-")
    try:
        base = 2 if size[:2] == "0b" else 8 if size[0] == "0" else 10
        number = sign * int(size, base)
    except ValueError:  # 08 is no octal number: then it is a decimal one, to both
        return None
    return number if str(number) != word.lstrip("+") and number != 0 else None


def value_of(kind: str, text: str) -> Scalar:
    """The value of a text of that kind. Raises ValueError, in words, for one that is not, or a number nobody needs."""
    if kind == "str":
        return _characters(text)
    if not _PLAIN[kind].fullmatch(text):
        raise ValueError(f"is no {kind}, as its tag says")
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if len(text) > _LONGEST:
        raise ValueError("is a number of too many digits")
    return _whole(text) if kind == "int" else _real(text)


def _characters(text: str) -> str:
    """An escape such as "\\ud800" makes half a character, which nothing can write down again."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None
    return text


def _whole(text: str) -> int:
    """No setting needs more than 64 bits, and Python refuses to print what is very long."""
    number = int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if number.bit_length() > 64:
        raise ValueError("is a number of more than 64 bits")
    return number


def _real(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
