"""What strangers, machines and pushers may send, broken in thousands of ways, given to whatever reads it: prints one
JSON line with what came of it. Run as a program, so that its memory is its own:
`python -m tests.property.foreign PARSER SEED COUNT`."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from reconciler.errors import ReconcilerError
from tests.property.fuzz import _most, _mutated
from tests.property.parsers import PARSERS
from tests.slowness import slowness

_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 2**63, 10**400, float("inf"), float("nan"), "", "x" * 100_000, "\x1b[2J\u202e", "\ud800",
    "\0", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+23:59", "2026-11-29", "../../etc/passwd", "{{ x }}",
    [], {},
    [[]], [None], [{}], {"": None}, {"a": {"b": []}}, ["x"] * 1000, {"k" * 5000: 1},
)  # fmt: skip
_DEEP = 100_000
_BOMB = b"\n".join([b"a0: &a0 x", *(b"a%d: &a%d [*a%d, *a%d]" % (n, n, n - 1, n - 1) for n in range(1, 60))])
_RECURSIVE = b"a: &a [*a]\n"


def broken(dice: random.Random, sample: bytes) -> bytes:
    """One sample with something wrong: in its structure, its text, or all of it."""
    way = dice.random()
    if way < 0.6:
        return _restructured(dice, sample)
    if way < 0.95:
        return _mutated(dice, sample)
    return dice.choice(
        (
            b"",
            _BOMB,
            _RECURSIVE,
            b"[" * _DEEP,
            b'{"a":' * _DEEP,
            b"- " * _DEEP,
            dice.randbytes(1000),
            b"\xff\xfe" + sample,
        )
    )


def _restructured(dice: random.Random, sample: bytes) -> bytes:
    """A value somewhere in it is another thing."""
    try:
        document, json_like = json.loads(sample), True
    except ValueError:
        try:
            document, json_like = yaml.safe_load(sample), False
        except yaml.YAMLError:
            return _mutated(dice, sample)
    for _ in range(dice.randint(1, 3)):
        document = _spoilt(dice, document)
    text = json.dumps(document) if json_like else yaml.safe_dump(document)
    return text.encode("utf-8", "surrogatepass")


def _spoilt(dice: random.Random, value: Any) -> Any:
    if not isinstance(value, (dict, list)) or not value or dice.random() < 0.15:
        return dice.choice(_ODD)
    if isinstance(value, list):
        at = dice.randrange(len(value))
        return [*value[:at], _spoilt(dice, value[at]), *value[at + 1 :]]
    key = dice.choice(list(value))
    if dice.random() < 0.1:
        return {k: v for k, v in value.items() if k != key}
    return {**value, key: _spoilt(dice, value[key])}


def ended(read: Callable[[bytes], object], text: bytes) -> tuple[str, float]:
    """How reading it ended, and the seconds it took on an idle core: what took long is done again."""
    name, seconds = _read(read, text)
    if seconds >= 1:
        slow = slowness()
        name, seconds = _read(read, text)
        seconds /= min(slow, slowness())
    return name, seconds


def _read(read: Callable[[bytes], object], text: bytes) -> tuple[str, float]:
    began = time.process_time()
    try:
        read(text)
        name = "read"
    except ReconcilerError as error:
        name = "refused" if error.message else "refused without a word"
    except Exception as error:
        name = f"{type(error).__name__}: {error}"[:300]
    return name, time.process_time() - began


def cases(parser: str, seed: int, count: int) -> Iterator[bytes]:
    """The samples as they are, then broken ones, the same for one seed."""
    samples = PARSERS[parser].samples
    dice = random.Random(f"{parser} {seed}")
    yield from samples
    for _ in range(count):
        yield broken(dice, dice.choice(samples))


def main(parser: str, seed: int, count: int) -> None:
    endings: dict[str, int] = {}
    slowest, worst = 0.0, b""
    read = PARSERS[parser].read
    for text in cases(parser, seed, count):
        name, seconds = ended(read, text)
        endings[name] = endings.get(name, 0) + 1
        slowest, worst = max((slowest, worst), (seconds, text[:200]))
    print(json.dumps({"endings": endings, "slowest": slowest, "what": repr(worst), "mib": _most()}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
