"""What GitHub keeps from whoever may push a branch: read from the REST API's version 2022-11-28.

A pushed branch brings its own workflows. So credentials are safe from it where GitHub itself, and no line of a
workflow, gives them to main alone: in environments limited to main, and on runners of a group that is bound to
workflows of main.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from ...ports import Boundary
from .github_protection import ADMIN, Protection
from .http import Api
from .sight import Answer, Seen, ask, ask_counted, both, boundary, either, names, unseen

_FREE = "where the account's plan has none for private repositories, `reconciler run` on a machine of yours needs none"


class GitHubBoundaries:
    """Implements ports.Boundaries for one repository."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api = api
        self._repository = repository
        self._path = f"/repos/{repository}"

    def every(self, main: str, observed: str) -> Sequence[Boundary]:
        repository = ask(self._api, self._path, "metadata: read")
        return [
            *self._main(main),
            self._observed(observed),
            self._secrets("secrets of the repository", "secrets"),
            *self._of_organization(repository, main),
            *self._environments(main),
            self._runners(),
            self._token(),
            *self._forks(repository),
        ]

    def of_job(self, main: str, environment: str) -> Sequence[Boundary]:
        found = ask(self._api, f"{self._path}/environments/{quote(environment, safe='')}", "actions: read")
        hint = f"make it, limited to the branch {main}; {_FREE}"
        if not found.seen:
            return [unseen(f"environment {environment}", found.why, hint), self._protected(main)]
        return [self._environment(found, environment, main), self._protected(main)]

    def _protected(self, main: str) -> Boundary:
        """As much of main's protection as a job's token may see: the older kind only as a yes or no."""
        branch = ask(self._api, f"{self._path}/branches/{quote(main, safe='')}", "contents: read")
        rules = Protection.of(self._api, self._path, main)
        return boundary(
            f"branch {main}",
            either(branch.flag("protected"), rules.approved),
            ("is protected", "is not protected: whoever may push, pushes to it"),
            (f"protect {main}: pull requests only, reviewed by code owners; {_FREE}", "contents: read"),
            branch.why,
        )

    def _main(self, main: str) -> Iterator[Boundary]:
        protection = Protection.of(self._api, self._path, main)
        plan = f"; {_FREE}" if protection.no_feature else ""
        for name, closed, yes, no, fix in (
            ("review", protection.approved, "is needed", "is not needed: whoever may push, merges", "an approval"),
            ("later pushes", protection.fresh, "need a new one", "go in with it", "a new approval after a push"),
            ("code owners", protection.owned, "are asked", "are not asked", "a review by code owners"),
            ("history", protection.steady, "is never rewritten", "may be rewritten", "that nobody force-pushes"),
        ):
            hints = (f"a ruleset for {main} that requires {fix}{plan}", f"{ADMIN}; rulesets every token may see")
            yield boundary(f"branch {main}: {name}", closed, (yes, no), hints, protection.why)

    def _observed(self, observed: str) -> Boundary:
        protection = Protection.of(self._api, self._path, observed)
        return boundary(
            f"branch {observed}",
            protection.deliberate,
            ("is pushed by who was named", "is pushed by whoever may push: what is recorded there can be forged"),
            (f"a ruleset that lets only the reconciler's account update {observed}", ADMIN),
            protection.why,
        )

    def _secrets(self, name: str, kind: str) -> Boundary:
        found = ask_counted(self._api, f"{self._path}/actions/{kind}", "secrets: read", "secrets")
        given = f"every pushed branch's workflow reads {names(found.value or ())}"
        fix = "put them into an environment that is limited to main; make new ones, since these may be known"
        return boundary(name, found.empty, ("none", given), (fix, "secrets: read"), found.why)

    def _environments(self, main: str) -> Iterator[Boundary]:
        found = ask_counted(self._api, f"{self._path}/environments", "actions: read", "environments")
        if not found.seen:
            yield unseen("environments", found.why, "actions: read")
        for item in found.value or ():
            yield self._environment(Answer(item), names([item]), main)

    def _environment(self, found: Answer, name: str, main: str) -> Boundary:
        """Limited to the branch main by its name. "Protected branches" is not enough: that is any branch with a rule,
        and every branch while there is no rule (GitHub: Managing environments for deployment)."""
        closed, why = found.flag("deployment_branch_policy", "custom_branch_policies"), found.why
        detail = "any protected branch may use its secrets, and every branch while none is protected"
        if isinstance(found.value, dict) and found.value.get("deployment_branch_policy", "") is None:
            closed, detail = False, "any branch may use its secrets"
        if closed:
            path = f"{self._path}/environments/{quote(str(found.at('name')), safe='')}/deployment-branch-policies"
            policies = ask_counted(self._api, path, "actions: read", "branch_policies")
            others = [p for p in policies.value or () if (p.get("name"), p.get("type", "branch")) != (main, "branch")]
            closed, why = not others if policies.seen else None, policies.why
            detail = f"{names(others)} may use its secrets"
        hint = f"Settings, Environments, {name}: selected branches and tags, and of these the branch {main} alone"
        return boundary(f"environment {name}", closed, (f"is for {main} alone", detail), (hint, "actions: read"), why)

    def _runners(self) -> Boundary:
        found = ask_counted(self._api, f"{self._path}/actions/runners", ADMIN, "runners")
        kept = [runner for runner in found.value or () if runner.get("ephemeral") is not True]
        closed: Seen = None if not found.seen else not kept
        why = found.why
        if found.value and not kept:
            closed, why = None, f"{names(found.value)} live for one job; whether a credential lies on them is for you"
        return boundary(
            "runners of the repository",
            closed,
            ("none", f"every pushed branch may run on {names(kept)}, and read what lies there"),
            ("remove them, or have them made new for each job and without any credential", ADMIN),
            why,
        )

    def _of_organization(self, repository: Answer, main: str) -> Iterator[Boundary]:
        owner = repository.at("owner", "type")
        if owner == "Organization":
            yield self._secrets("secrets of the organisation", "organization-secrets")
            yield from self._groups(main)
        elif owner != "User":
            yield unseen("what the organisation gives", repository.why, "metadata: read")

    def _groups(self, main: str) -> Iterator[Boundary]:
        owner, _, name = self._repository.partition("/")
        need, path = "self-hosted runners: read, of the organisation", f"/orgs/{owner}/actions/runner-groups"
        found = ask_counted(self._api, path, need, "runner_groups", visible_to_repository=name)
        if not found.seen:
            yield unseen("groups of runners", found.why, need)
        for group in found.value or ():
            runners = ask_counted(self._api, f"{path}/{quote(str(group.get('id')))}/runners", need, "runners")
            yield boundary(
                f"group of runners {names([group])}",
                either(self._bound(group, main), runners.empty),
                ("is closed to pushed branches", "every pushed branch may run there, and read what lies there"),
                (f"bind it to workflows of this repository at refs/heads/{main} (a feature of Enterprise)", need),
                runners.why,
            )

    def _bound(self, group: dict[str, Any], main: str) -> bool:
        chosen = group.get("selected_workflows")
        workflow = rf"{re.escape(self._repository)}/\.github/workflows/[^/@]+@refs/heads/{re.escape(main)}"
        return group.get("restricted_to_workflows") is True and all(
            isinstance(path, str) and re.fullmatch(workflow, path) is not None
            for path in (chosen if isinstance(chosen, list) else [None])
        )

    def _token(self) -> Boundary:
        found = ask(self._api, f"{self._path}/actions/permissions/workflow", ADMIN)
        reads = found.at("default_workflow_permissions")
        approves = found.flag("can_approve_pull_request_reviews")
        return boundary(
            "token of workflows",
            both(None if reads is None else reads == "read", None if approves is None else not approves),
            ("reads, and approves nothing", "writes, or approves pull requests: a pushed branch could approve itself"),
            ("Settings, Actions, General: read repository contents, and no approving of pull requests", ADMIN),
            found.why,
        )

    def _forks(self, repository: Answer) -> Iterator[Boundary]:
        """A public repository's forks get neither secrets nor a token that writes, whatever its settings."""
        if repository.flag("private") is False:
            return
        path = f"{self._path}/actions/permissions/fork-pr-workflows-private-repos"
        found = ask(self._api, path, ADMIN)
        given = either(found.flag("send_secrets_and_variables"), found.flag("send_write_tokens_to_workflows"))
        yield boundary(
            "forks",
            None if given is None else not given,
            ("get nothing", "get secrets, or a token that writes"),
            ("Settings, Actions, General: send forks neither secrets nor write tokens", ADMIN),
            found.why,
        )
