"""A view as one HTML file that needs nothing else: no script, no request, readable on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files

from .drawing import drawing
from .foreign import html
from .values import about, line, number, some, when
from .view import Finding, PlannedStep, Result, View, alike, by_component, gathered


def render(view: View, *, history: Sequence[str] = ()) -> str:
    """Return the page. `history` is shown at its end, a line each, as git log gives it."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(
        part
        for part in (
            _head(view),
            drawing(view.picture),
            _refusals(view),
            _unknowns(view),
            _findings(view),
            _plan(view),
            _results(view),
            _section("History", "ol", "history", (f"<li><code>{html(line(h))}</code></li>" for h in history)),
        )
        if part
    )
    title = html(f"{view.cluster}: {view.headline}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(view: View) -> str:
    said = [view.hint] if view.hint else []
    hint = "".join(f'\n<p class="hint">{html(text)}</p>' for text in [*said, *view.orphans])
    return (
        f'<header class="{html(view.status.name.lower())}">\n'
        f'<h1>{html(view.cluster)} <span class="status">{html(view.status.value)}</span></h1>\n'
        f'<p class="headline">{html(view.headline)}</p>{hint}\n'
        f'<p class="quiet">desired state <code>{html(view.commit[:12])}</code>'
        f" · plan <code>{html(view.digest)}</code></p>\n</header>"
    )


def _findings(view: View) -> str:
    parts = [
        f"<h3>{html(component.value)}</h3>\n" + "\n".join(_finding(group) for group in alike(findings))
        for component, findings in by_component(view.findings).items()
    ]
    if view.ignored:
        entries = "\n".join(f"<li>{html(f'{f.resource} {f.field}'.rstrip())}: {html(f.why)}</li>" for f in view.ignored)
        summary = f"<summary>{number(len(view.ignored), 'difference')} ignored</summary>"
        parts.append(f'<details class="quiet">{summary}<ul>\n{entries}\n</ul></details>')
    title = "Was different" if view.repaired else "Differences"
    return f"<section>\n<h2>{title}</h2>\n" + "\n".join(parts) + "\n</section>" if parts else ""


def _finding(group: Sequence[Finding]) -> str:
    f, resources = group[0], "<br>".join(html(each.resource) for each in group)
    sides = (("git says", f.desired), ("last applied", f.applied), ("live", f.live))
    values = "".join(f"<div><dt>{name}</dt><dd><code>{html(value)}</code></dd></div>" for name, value in sides)
    return (
        f'<article class="{f.severity}">\n'
        f'<p class="labels"><b class="severity">{f.severity}</b> <span class="class">{f.cls.value}</span></p>\n'
        f"<h4>{resources}</h4>\n"
        + (f'<p class="field"><code>{html(f.field)}</code></p>\n<dl>{values}</dl>\n' if f.field else "")
        + f"<p>{html(f.why)}</p>\n"
        + (f'<p class="chain">{html(f.chain)}</p>\n' if f.chain else "")
        + f'<p class="quiet">{when(f.since, f.set_at)}</p>\n'
        f'<p class="repair">repair: {html(f.repair)}</p>\n</article>'
    )


def _plan(view: View) -> str:
    return "" if view.finished else _section("Plan", "ol", "steps", (_step(step) for step in view.steps))


def _step(step: PlannedStep) -> str:
    targets = f'<p class="quiet">{html(some(step.targets))}</p>' if step.targets else ""
    command = f'<p class="quiet"><code>{html(step.command)}</code> {about(step.seconds)}</p>' if step.command else ""
    held = ' <b class="failed">held</b>' if step.held else ""
    named = f"<b>{html(step.tool)} {html(step.operation)}</b> {html(step.summary)}{held}"
    return f"<li>{named}{targets}{command}</li>"


def _refusals(view: View) -> str:
    entries = [
        f'<li><b>{html(r.guard)}</b>: {html(r.message)}<p class="hint">{html(r.approval)}</p>'
        + (f"<pre>{html(r.paste)}</pre>" if r.paste else "")
        + "</li>"
        for r in view.refusals
    ]
    return _section(view.refused, "ul", "refusals", entries)


def _unknowns(view: View) -> str:
    entries = (
        f"<li><b>{html(u.component.value)} {html(u.what)}</b>: {html(u.reason)}{_hint(u.hint)}</li>"
        for u in gathered(view.unknowns)
    )
    return _section("Could not be observed: not compared, not touched", "ul", "unknowns", entries)


def _results(view: View) -> str:
    return _section("Results", "ol", "results", (_result(r) for r in view.results))


def _result(result: Result) -> str:
    mark = '<span class="done">✓</span>' if result.ok else '<span class="failed">✗</span>'
    error = f'<p class="failed">{html(result.error)}</p>' if result.error else ""
    return (
        f'<li>{mark} {html(result.title)} <span class="quiet">{result.seconds:.1f} s</span>'
        f"{error}{_hint(result.hint)}</li>"
    )


def _hint(hint: str) -> str:
    return f'<p class="hint">{html(hint)}</p>' if hint else ""


def _section(title: str, tag: str, name: str, entries: Iterable[str]) -> str:
    content = "\n".join(entries)
    if not content:
        return ""
    return f'<section class="{name}">\n<h2>{html(title)}</h2>\n<{tag}>\n{content}\n</{tag}>\n</section>'
