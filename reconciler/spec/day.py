"""A day of pods, from a CSV that people take out of a cluster or make up: every mistake at its line.

    arrival,duration,cpu,memory,gpu,name,priority,selector,tolerations,movable
    08:30,2h,2,8Gi,0,ada,0,research.moc/kind=gpu,gpu,yes

`arrival` and `duration` are seconds, a time of day, or such as 90s, 15m, 2h; all behind `memory` may be left out.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import Invalid, Problem
from ..model.desired import NodeGroup
from ..model.desired.environment import quantity
from ..model.simulation import PodRun, Pool, Size
from .yaml import quoted

_NEEDED = ("arrival", "duration", "cpu", "memory")
_OTHERS = ("gpu", "name", "priority", "selector", "tolerations", "movable")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MIB = 1 << 20
_SHOWN = 40
_MOST = 100_000
_LONGEST = 31 * 86_400
_WORDS = {"yes": True, "true": True, "": True, "no": False, "false": False}


def pods(file: str, text: bytes) -> list[PodRun]:
    """Read the pods of a day. Raises Invalid with every problem."""
    try:
        return _read_rows(file, csv.DictReader(io.StringIO(text.decode("utf-8-sig", "replace"), newline="")))
    except csv.Error as error:
        raise Invalid("the pods can't be read", problems=[_problem(file, 1, f"is no CSV: {error}")]) from None


def _read_rows(file: str, rows: csv.DictReader[str]) -> list[PodRun]:
    header = [str(name).strip() for name in rows.fieldnames or ()]
    rows.fieldnames = header
    problems = [_problem(file, 1, f"has no column {name!r}") for name in _NEEDED if name not in header]
    problems += [_problem(file, 1, f"has a column nobody knows: {quoted(n)}") for n in header if n not in _ALL]
    problems += [
        _problem(file, 1, f"has the column {quoted(n)} more than once")
        for n, count in Counter(header).items()
        if count > 1
    ]
    found: list[PodRun] = []
    names: set[str] = set()
    for row in rows if not problems else ():
        try:
            pod = _pod(row, rows.line_num)
            if pod.name in names:
                raise ValueError(f"there is already a pod {quoted(pod.name)}")
            names.add(pod.name)
            found.append(pod)
        except _TooLong as error:
            problems.append(_problem(file, rows.line_num, str(error), _FROM_THE_BEGINNING))
        except (ValueError, ArithmeticError, InvalidOperation) as error:
            problems.append(_problem(file, rows.line_num, str(error)))
        if len(problems) >= _SHOWN or len(found) > _MOST:
            problems.append(_problem(file, rows.line_num, f"and so on; {_MOST} pods are the most"))
            break
    if problems:
        raise Invalid("the pods can't be read", problems=problems)
    return found


_ALL = {*_NEEDED, *_OTHERS}
_FROM_THE_BEGINNING = "arrival counts from the day's beginning; what runs for good may end with the day: 1d"


class _TooLong(ValueError):
    """A time that no day has."""


def _problem(file: str, line: int, message: str, hint: str = "") -> Problem:
    hint = hint or f"columns are {', '.join(_NEEDED)}, and if you like {', '.join(_OTHERS)}"
    return Problem(file, line, 1, "", message, hint)


def _pod(row: Mapping[str, Any], line: int) -> PodRun:
    said = {key: str(value or "").strip() for key, value in row.items() if isinstance(key, str)}
    if None in row:
        raise ValueError("has more values than there are columns")
    arrival, duration = _time("arrival", said["arrival"]), _time("duration", said["duration"])
    if duration <= 0:
        raise ValueError("a pod runs for some time: duration is 0")
    return PodRun(
        said.get("name") or f"line-{line}",
        arrival,
        duration,
        _read("size", f"{said['cpu']}:{said['memory']}:{said.get('gpu') or 0}", size),
        _read("selector", said.get("selector", ""), _pairs),
        frozenset(filter(None, (word.strip() for word in said.get("tolerations", "").split(";")))),
        _read("priority", said.get("priority") or "0", int),
        _read("movable", said.get("movable", ""), lambda word: _WORDS[word.lower()]),
    )


def _read(key: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except (ValueError, KeyError, ArithmeticError):
        raise ValueError(f"{key} can't be read: {quoted(text)}") from None


def _time(key: str, text: str) -> float:
    found: float = _read(key, text, seconds)
    if found > _LONGEST:
        raise _TooLong(f"{key} is more than {_LONGEST // 86_400} days: {quoted(text)}")
    return found


def seconds(text: str) -> float:
    """90, 90s, 15m, 2h30m, 1d, or a time of day: 08:30, 08:30:15. Raises ValueError."""
    if clock := re.fullmatch(r"(\d{1,3}):(\d\d)(?::(\d\d))?", text):
        return int(clock[1]) * 3600.0 + int(clock[2]) * 60 + int(clock[3] or 0)
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    if not re.fullmatch(r"(\d{1,6}(\.\d{1,6})?[smhd])+", text):
        raise ValueError(text)
    return sum(float(number) * _UNITS[unit] for number, _, unit in re.findall(r"([\d]+(\.\d+)?)([smhd])", text))


def size(text: str) -> Size:
    """CPU:MEMORY or CPU:MEMORY:GPU, such as 2:8Gi or 500m:512Mi:1. Raises ValueError."""
    cpu, memory, *rest = text.split(":")
    gpu = rest[0] if rest else "0"
    if len(rest) > 1 or not gpu.isdigit():
        raise ValueError(text)
    found = Size(int(_amount(cpu) * 1000), int(_amount(memory) / _MIB), int(gpu))
    if any(part < 0 or part > 1 << 40 for part in found):
        raise ValueError(text)
    return found


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"\d{1,15}(\.\d{1,9})?(m|k|Ki|M|Mi|G|Gi|T|Ti)?", text.strip()):
        raise ValueError(text)
    return quantity(text.strip())


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        key, equal, value = pair.partition("=")
        if not equal:
            raise ValueError(text)
        found[key] = value
    return found


def pool(group: NodeGroup, whole: Size, reserved: Size) -> Pool:
    """A node group as a simulation has it: its flavor's size, less what kubelet, system and daemons keep of each node.
    A group without `min` and `max` stays as it is. Raises Invalid when nothing is left of a node."""
    left = whole.minus(reserved)
    if min(left.cpu, left.memory) <= 0:
        raise Invalid(f"nothing is left of a node of {group.name!r}", hint="--flavor and --reserved say what it has")
    low = group.count if group.min is None else group.min
    high = group.count if group.max is None else group.max
    return Pool(group.name, low, high, left, group.labels, frozenset(taint.key for taint in group.taints))
