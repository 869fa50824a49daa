"""What a simulation told: as a table, as data, and as curves a browser shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from ..model.simulation import Moment, Told
from .foreign import html

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 960, 180, 60, 56, 46
_COLOURS = ("#0b6e99", "#c4541a", "#3d7a3a", "#8a3f9c", "#b08900", "#555555", "#c02f4d", "#2f8f83")
_TICKS = 4


def table(told: Sequence[Told]) -> Table:
    """One line for each setting."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("setting", no_wrap=True)
    for title in ("median", "95%", "longest wait", "node-hours", "most nodes", "+", "-", "moved", "never"):
        made.add_column(title, justify="right")
    for one in told:
        times = (duration(one.waiting(part)) for part in (0.5, 0.95, 1.0))
        counts = (one.most, one.added, one.removed, one.moved, len(one.never))
        made.add_row(one.title, *times, f"{one.hours:.1f}", *(str(count) for count in counts))
    return made


def data(told: Sequence[Told]) -> list[dict[str, Any]]:
    """The same, and the curves, as JSON has it. Times are in seconds."""
    return [
        {
            "setting": one.title,
            "pods": len(one.waited),
            "waited": {"median": one.waiting(0.5), "p95": one.waiting(0.95), "max": one.waiting(1.0)},
            "nodeHours": {"total": round(one.hours, 3), **{k: round(v, 3) for k, v in one.node_hours.items()}},
            "mostNodes": one.most,
            "added": one.added,
            "removed": one.removed,
            "moved": one.moved,
            "placeholdersDisplaced": one.displaced,
            "neverRan": list(one.never),
            "end": one.end,
            "moments": [dict(moment._asdict()) for moment in one.moments],
        }
        for one in told
    ]


def duration(seconds: float) -> str:
    """45s, 3m20s, 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def curves(told: Sequence[Told], title: str) -> str:
    """Nodes and waiting pods over the day, as one SVG: a line for each setting."""
    end = max((one.end for one in told), default=0.0) or 1.0
    parts = [
        _chart(told, end, 0, "nodes (ready and starting)", lambda m: m.nodes + m.starting),
        _chart(told, end, 1, "pods that wait", lambda m: m.pending),
    ]
    legend = [_legend(number, one) for number, one in enumerate(told)]
    top = _extra(told)
    height = top + _TOP + 2 * (_HEIGHT + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="11" role="img" aria-label="{html(title)}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{_LEFT}" y="22" font-size="15" font-weight="bold">{html(title)}</text>\n'
        + "\n".join([*legend, *parts])
        + "\n</svg>\n"
    )


def _legend(number: int, one: Told) -> str:
    x, y = _LEFT + number % 3 * 300, 42 + number // 3 * 14
    said = f"{one.title}: {one.hours:.0f} node-hours, 95% wait {duration(one.waiting(0.95))} at most"
    return f'<text x="{x}" y="{y}" fill="{_colour(number)}">{html(said)}</text>'


def _extra(told: Sequence[Told]) -> int:
    return max(0, (len(told) - 1) // 3) * 14


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _chart(told: Sequence[Told], end: float, row: int, title: str, value: Callable[[Moment], int]) -> str:
    top = _TOP + _extra(told) + row * (_HEIGHT + _GAP)
    most = max((value(moment) for one in told for moment in one.moments), default=0) or 1

    def x(time: float) -> float:
        return round(_LEFT + time / end * (_WIDTH - _LEFT - 20), 1)

    def y(number: float) -> float:
        return round(top + _HEIGHT - number / most * (_HEIGHT - 16), 1)

    lines = [f'<text x="{_LEFT}" y="{top + 8}" fill="#333">{html(title)}</text>']
    for tick in range(_TICKS + 1):
        hour, level = end * tick / _TICKS, most * tick / _TICKS
        lines.append(
            f'<text x="{x(hour)}" y="{top + _HEIGHT + 15}" fill="#777" text-anchor="middle">{_clock(hour)}</text>'
        )
        if level == int(level):
            lines.append(f'<text x="{_LEFT - 8}" y="{y(level) + 4}" fill="#777" text-anchor="end">{int(level)}</text>')
            lines.append(f'<path d="M{_LEFT} {y(level)}H{_WIDTH - 20}" stroke="#ddd" fill="none"/>')
    for number, one in enumerate(told):
        steps = "".join(f"H{x(m.time)}V{y(value(m))}" for m in one.moments[1:])
        if one.moments:
            first = one.moments[0]
            path = f"M{x(first.time)} {y(value(first))}{steps}H{x(one.end)}"
            lines.append(f'<path d="{path}" stroke="{_colour(number)}" stroke-width="1.5" fill="none"/>')
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02}:{int(seconds) % 3600 // 60:02}"
