"""How GitHub protects one branch: by rulesets, by a protection of the older kind, or by both, which hold together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .http import Api
from .sight import Answer, Seen, ask, ask_all, either

ADMIN = "administration: read"
_NO_FEATURE = "Upgrade to GitHub"  # how GitHub says that an account's plan has no such feature
_UNPROTECTED = "Branch not protected"


@dataclass(frozen=True, slots=True)
class Protection:
    """What both kinds say of a branch. Rulesets are seen by every token, the older kind by an administrator's."""

    rules: Answer
    classic: Answer

    @classmethod
    def of(cls, api: Api, repository: str, branch: str) -> Protection:
        """`repository` is its path in the API."""
        name = quote(branch, safe="")
        rules = ask_all(api, f"{repository}/rules/branches/{name}", "metadata: read")
        return cls(rules, ask(api, f"{repository}/branches/{name}/protection", ADMIN))

    @property
    def no_feature(self) -> bool:
        """Whether this account's plan can't protect branches of this repository."""
        return self.classic.missing(_NO_FEATURE)

    @property
    def why(self) -> str:
        return self.classic.why or self.rules.why

    @property
    def approved(self) -> Seen:
        """Nothing reaches it but by a pull request that somebody else approved."""
        return self._review(lambda p: _number(p.get("required_approving_review_count")) > 0)

    @property
    def fresh(self) -> Seen:
        """An approval does not count for what is pushed after it."""
        named = ("dismiss_stale_reviews_on_push", "dismiss_stale_reviews", "require_last_push_approval")
        return self._review(lambda p: any(p.get(name) is True for name in named))

    @property
    def owned(self) -> Seen:
        """Code owners are asked."""
        named = ("require_code_owner_review", "require_code_owner_reviews")
        return self._review(lambda p: any(p.get(name) is True for name in named))

    @property
    def steady(self) -> Seen:
        """It is never rewritten."""
        forced = self.classic.flag("allow_force_pushes", "enabled")
        older = None if self.classic.seen and forced is None else self._older(lambda: forced is False)
        return either(self._rule("non_fast_forward"), older)

    @property
    def deliberate(self) -> Seen:
        """Whoever pushes it was named."""
        return either(self._rule("update"), self._older(lambda: self.classic.at("restrictions") is not None))

    def _review(self, holds: Callable[[dict[str, Any]], bool]) -> Seen:
        older = self.classic.at("required_pull_request_reviews")
        return either(self._rule("pull_request", holds), self._older(lambda: isinstance(older, dict) and holds(older)))

    def _rule(self, kind: str, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> Seen:
        rules = self.rules.items()
        if rules is None:
            return None
        parameters = [rule.get("parameters") or {} for rule in rules if rule.get("type") == kind]
        return any(isinstance(p, dict) and holds(p) for p in parameters)

    def _older(self, holds: Callable[[], bool]) -> Seen:
        if isinstance(self.classic.value, dict):
            return holds()
        certain = self.classic.missing(_UNPROTECTED) or self.no_feature
        return False if certain else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
