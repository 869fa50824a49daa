"""Thousands of broken desired states, each loaded: prints one JSON line with what was found. Run as a program, so that
its memory is its own: `python -m tests.property.fuzz SEED COUNT libyaml`, or `python` for PyYAML's own parser."""

from __future__ import annotations

import contextlib
import json
import random
import re
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import yaml as pyyaml

from reconciler.errors import Invalid
from reconciler.spec import desired_state, secrets, yaml
from tests.slowness import slowness

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
Files = dict[str, bytes]

_FRAGMENTS = [
    b"[", b"]", b"{", b"}", b": ", b"- ", b"? ", b"&a ", b"*a", b"!!", b"!!python/object:os.system ", b"<<: *a", b"|\n",
    b">-\n", b"'", b'"', b"#", b"%YAML 1.1\n---\n", b"%TAG ! x\n", b"---\n", b"...\n", b"\t", b"\x00", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\r\n", b"\xc2\x85", b"\xe2\x80\xa8", b"~", b"no", b"1.30", b"0644", b"0x" + b"f" * 5000,
    b"9" * 5000, b"1e999999999", b".nan", b'"\\ud800"', b"[" * 60, b"{a: " * 60, b"- " * 60, b"&a [*a]", b"spec:\n",
    b"x: " + b"y" * 5000 + b"\n", b"  guards: {approvals: [{plan: 123456789012}]}\n", b"2026-13-45", b"${a.b}",
]  # fmt: skip

_CONFIG = b"- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: c%d, labels: {a: b}}\n"


_CLUSTER = ("desired/demo/cluster.yaml", "desired/fleet.yaml")


def mutants(seed: int, count: int) -> Iterator[tuple[Files, str]]:
    """The committed desired state with slips in one of its files, the same for one seed, and that file's path."""
    dice = random.Random(seed)
    whole = sound()
    alone = {p: t for p, t in whole.items() if p in _CLUSTER or p.startswith("manifests/sid-backend/")}
    paths = sorted(path for path in whole if path.endswith(".yaml"))
    for _ in range(count):
        path = dice.choice([*paths, *[p for p in paths if p.startswith("desired/")] * 3])
        others = alone if path in alone else whole  # what is not about the file only costs time
        yield {**others, path: _mutated(dice, whole[path])}, path


def for_parsers() -> Iterator[tuple[str, bytes]]:
    """One MiB of each thing that has made some parser slow, deep or fat."""
    for piece in [*_FRAGMENTS[:30], b"a: ", b"-\n", b"a\n", b"- a\n", b"[a],", b"a,", b" ", b"\n", b"x", b"? a\n"]:
        yield repr(piece)[:20], (piece * (MIB // len(piece) + 1))[:MIB]
    yield "many keys", b"".join(b"k%d: 1\n" % n for n in range(90_000))
    yield "many items", b"[" + b"a," * 500_000 + b"]"
    yield "many anchors", b"".join(b"k%d: &k%d x\n" % (n, n) for n in range(50_000))
    yield (
        "doubling",
        b"\n".join([b"a0: &a0 x"] + [b"a%d: &a%d [*a%d, *a%d]" % (n, n, n - 1, n - 1) for n in range(1, 99)]),
    )
    yield "escapes", b'a: "' + b"\\u0041" * 170_000 + b'"'
    yield "folded", b"a: >\n" + b"  x\n\n" * 200_000
    yield "anchors in anchors", b"".join(b"&a%d [" % n for n in range(49)) + b"a," * 50_000 + b"]" * 49
    yield "a long text often", b"a: &a " + b"x" * 900_000 + b"\nb: [" + b"*a, " * 30_000 + b"]"
    yield "a long tag", b"%TAG !a! " + b"x" * 900_000 + b"\n--- [" + b"!a!x a, " * 10_000 + b"]"


def for_everybody() -> Iterator[tuple[str, bytes]]:
    """What can be parsed, and is then a great deal for whoever reads it."""
    yield "numbers on a line", b"a: [" + b"1, " * 50_000 + b"]"
    yield "zeros on a line", b"a: [" + b"0x00, " * 50_000 + b"]"
    yield "many documents", b"--- a\n" * 4_999
    yield "many wrong documents", b"---\n".join([b"".join(b"k%d: 1\n" % n for n in range(100))] * 500)
    yield "as deep as may be", b"a: " + b"[" * 98 + b"a," * 13_000 + b"]" * 98
    yield "many wrong objects", b"kind: List\nitems: [" + b"a, " * 50_000 + b"]"
    yield "many objects", b"kind: List\nitems:\n" + b"".join(_CONFIG % n for n in range(9_000))
    yield (
        "a large object",
        (_CONFIG[2:] % 1).replace(b"\n  ", b"\n") + b"data:\n" + b"".join(b"  k%d: 1\n" % n for n in range(55_000)),
    )
    cluster = sound()["desired/demo/cluster.yaml"]
    yield "unknown keys", cluster + b"".join(b"  k%d: 1\n" % n for n in range(50_000))
    yield "long unknown key", cluster + b"  ? " + b"k" * 900_000 + b"\n  : 1\n"
    yield "long unknown keys", cluster + b"".join(b"  k%d%s: 1\n" % (n, b"flavor" * 150) for n in range(1_000))
    yield "wrong items", cluster + b"  ignore:\n" + b"    - 1\n" * 40_000
    yield "misspelt items", cluster + b"  ignore:\n" + b"    - {feild: a}\n" * 20_000


def sound() -> Files:
    """What is committed in desired/ and manifests/."""
    found = [f for folder in ("desired", "manifests") for f in sorted((ROOT / folder).rglob("*")) if f.is_file()]
    return {str(file.relative_to(ROOT)): file.read_bytes() for file in found}


_TRIES = 5  # neighbours come and go within a second


def load(files: Files, path: str) -> tuple[str, float]:
    """How it ended (`loaded`, `refused`, or what is wrong with the way it ended), and the seconds it took on an idle
    core: what took long is done again, and measured against how fast the machine is at that moment.

    `path` is the file with the mistake: it is also searched for secrets.
    """
    ended, seconds = _loaded(files, path)
    for _ in range(_TRIES):
        if seconds < 1:
            break
        slow = slowness()
        ended, again = _loaded(files, path)
        seconds = min(seconds, again / min(slow, slowness()))
    return ended, seconds


def _loaded(files: Files, path: str) -> tuple[str, float]:
    began = time.process_time()
    try:
        desired_state.load(files)
        ended = "loaded"
    except Invalid as error:
        placed = all(p.file and p.line >= 1 and p.column >= 1 and p.message for p in error.problems)
        short = all(len(str(p)) < 2_000 for p in error.problems)
        ended = "refused" if error.problems and placed and short else f"no place, or no end: {error}"
    except Exception as error:
        ended = f"{type(error).__name__}: {error}"
    loading = time.process_time() - began
    wrong, searching = _searched(path, files[path])
    return wrong or ended, max(loading, searching)


def _searched(path: str, text: bytes) -> tuple[str, float]:
    """What is wrong with how a search for secrets ended, if anything; and its seconds, those to parse not counted."""
    documents = None
    with contextlib.suppress(yaml.Unreadable):
        documents = yaml.parse(path, text)
    began = time.process_time()
    try:
        if documents is None:
            secrets.check_text(path, text)
        for document in documents or ():
            secrets.check(document)
    except Exception as error:
        return f"searched for secrets: {type(error).__name__}: {error}", 0.0
    return "", time.process_time() - began


def _mutated(dice: random.Random, text: bytes) -> bytes:
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(text))
        end = min(len(text), at + dice.choice([0, 1, 1, 5, 30, 200]))
        new = dice.choice([b"", text[at:end] * 2, dice.choice(_FRAGMENTS), dice.randbytes(3), b"\n" + b" " * at])
        text = text[:at] + new[:20_000] + text[end:]
    return text


def main(seed: int, count: int, parser: str) -> None:
    if parser == "python":
        yaml._LOADER, yaml.MAX_BYTES = pyyaml.SafeLoader, 24 << 10
    endings: dict[str, int] = {}
    slowest, what = 0.0, ""
    for name, files, path in _cases(seed, count):
        ended, seconds = load(files, path)
        endings[ended] = endings.get(ended, 0) + 1
        slowest, what = max((slowest, what), (seconds, name))
    print(json.dumps({"endings": endings, "slowest": slowest, "what": what, "mib": _most()}))  # noqa: T201


def _most() -> float:
    """The most memory this program had, in MiB. (ru_maxrss begins with what the process that started it had.)"""
    kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert kib
    return int(kib[1]) / 1024


def _cases(seed: int, count: int) -> Iterator[tuple[str, Files, str]]:
    """Each with a name, and the path of the file that is not as it should be."""
    whole = sound()
    for number, (files, path) in enumerate(mutants(seed, count)):
        yield f"mutant {number} of {path}", files, path
    once = ((name, text, _AS[number % 2]) for number, (name, text) in enumerate(for_parsers()))
    each = ((name, text, path) for name, text in for_everybody() for path in _AS)
    for name, text, path in chain(once, each):
        yield f"{name} as {path}", {**whole, path: text[: yaml.MAX_BYTES]}, path


_AS = ("desired/demo/cluster.yaml", "manifests/sid-backend/fuzz.yaml")

if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
