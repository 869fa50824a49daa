"""Differences that are nobody's business here: a rule in git says so, or a controller owns the field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ..model.change import Action, Class, Difference, Severity
from ..model.desired import Ignore

_ESCAPED = "[[]"


def ignored(differences: Iterable[Difference], rules: Sequence[Ignore]) -> tuple[Difference, ...]:
    """Mark what the first matching rule leaves alone. What could not be observed stays unknown: there is nothing to
    ignore yet."""
    return tuple(_judged(d, rules) for d in differences)


def matches(rule: Ignore, difference: Difference) -> bool:
    """Does `rule` mean this difference? A rule with a field means that field, never the whole resource."""
    if rule.component is not None and rule.component != difference.component:
        return False
    if rule.field != "*" and not difference.field:
        return False
    return _named(str(difference.key), rule.resource) and fnmatchcase(difference.field, _literal(rule.field))


def _named(resource: str, pattern: str) -> bool:
    """Resources have no brackets in their names, mostly, so there they may name a set of characters as well."""
    return fnmatchcase(resource, pattern) or fnmatchcase(resource, _literal(pattern))


def _literal(pattern: str) -> str:
    """The pattern with brackets that mean themselves, as in `rules[0]` and `containers[web]`; `[[]`, a shell's own way
    to write one, stays."""
    return pattern.replace(_ESCAPED, "[").replace("[", _ESCAPED)


def _judged(difference: Difference, rules: Sequence[Ignore]) -> Difference:
    if difference.cls in (Class.UNKNOWN, Class.IGNORED):
        return difference
    rule = next((r for r in rules if matches(r, difference)), None)
    if rule is None:
        return difference
    why = rule.reason or f"a rule ignores {rule.resource} {rule.field}".removesuffix(" *")
    return replace(difference, cls=Class.IGNORED, action=Action.NONE, severity=Severity.INFO, why=why)
