"""What GitLab keeps from whoever may push a branch: read from the REST API's version 4.

A pushed branch brings its own .gitlab-ci.yml. Protected variables and protected runners are for protected branches and
tags only, on every plan; so what counts is that all that holds a credential is protected, and who may push to what is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from ...ports import Boundary
from .http import Api
from .sight import Answer, Seen, ask, ask_all, boundary, names, unseen

_NEED = "the scope read_api or api, and the role Maintainer"
_MAINTAINER = 40  # GitLab: access levels; 0 is nobody


class GitLabBoundaries:
    """Implements ports.Boundaries for one project. `environment` are this job's variables."""

    def __init__(self, api: Api, project: str, environment: Mapping[str, str]) -> None:
        self._api = api
        self._path = f"/projects/{quote(project, safe='')}"
        self._environment = environment

    def every(self, main: str, observed: str) -> Sequence[Boundary]:
        project = ask(self._api, self._path, _NEED)
        branches = ask_all(self._api, f"{self._path}/protected_branches", _NEED)
        return [
            self._main(branches, main),
            *self._pushers(branches),
            self._observed(branches, observed),
            self._tags(),
            self._variables("variables of the project", f"{self._path}/variables"),
            *self._of_group(project),
            *self._runners(),
        ]

    def of_job(self, main: str, environment: str) -> Sequence[Boundary]:
        said = self._environment.get("CI_COMMIT_REF_PROTECTED")
        return [
            boundary(
                f"branch {main}",
                None if said is None else said == "true",
                ("is protected", f"is not protected, so neither is what the job for {environment} is given"),
                (f"Settings, Repository, Protected branches: {main}", "GitLab sets CI_COMMIT_REF_PROTECTED in a job"),
                "CI_COMMIT_REF_PROTECTED is not set",
            )
        ]

    def _main(self, branches: Answer, main: str) -> Boundary:
        listed = branches.items()
        found = [branch for branch in listed or () if _covers(branch, main)]
        steady = bool(found) and all(branch.get("allow_force_push") is False for branch in found)
        return boundary(
            f"branch {main}",
            None if listed is None else steady,
            ("is protected, and never rewritten", "is not protected, or may be rewritten"),
            (f"Settings, Repository, Protected branches: {main}, without force push", _NEED),
            branches.why,
        )

    def _pushers(self, branches: Answer) -> Iterator[Boundary]:
        """A protected branch that developers may push to, or merge into, gives them what protected jobs are given."""
        for branch in branches.items() or ():
            yield boundary(
                f"protected branch {names([branch])}",
                _few(branch, "push_access_levels", "merge_access_levels"),
                ("is changed by maintainers alone", "is changed by developers, who then get protected variables"),
                ("allow maintainers to push and merge, and nobody below", _NEED),
            )

    def _observed(self, branches: Answer, observed: str) -> Boundary:
        listed = branches.items()
        found = any(_covers(branch, observed) for branch in listed or ())
        return boundary(
            f"branch {observed}",
            None if listed is None else found,
            ("is pushed by few", "is pushed by whoever may push: what is recorded there can be forged"),
            (f"protect {observed}, and let the reconciler's account alone push it", _NEED),
            branches.why,
        )

    def _tags(self) -> Boundary:
        tags = ask_all(self._api, f"{self._path}/protected_tags", _NEED)
        listed = tags.items()
        loose = [tag for tag in listed or () if _few(tag, "create_access_levels") is not True]
        return boundary(
            "protected tags",
            None if listed is None else not loose,
            (
                "are made by maintainers alone",
                f"{names(loose)} may be made by developers, whose pipelines are protected",
            ),
            ("allow maintainers to create them, and nobody below", _NEED),
            tags.why,
        )

    def _variables(self, name: str, path: str) -> Boundary:
        """Their values are in the answer; only names go further."""
        found = ask_all(self._api, path, _NEED)
        listed = found.items()
        loose = [{"name": v.get("key")} for v in listed or () if v.get("protected") is not True]
        return boundary(
            name,
            None if listed is None else not loose,
            ("are all protected", f"every pushed branch's pipeline reads {names(loose)}"),
            ("protect those that are secret, and make new ones, since these may be known; RECONCILER too", _NEED),
            found.why,
        )

    def _of_group(self, project: Answer) -> Iterator[Boundary]:
        kind, path = project.at("namespace", "kind"), project.at("namespace", "full_path")
        if kind == "group" and isinstance(path, str):
            yield self._variables("variables of the group", f"/groups/{quote(path, safe='')}/variables")
        elif kind != "user":
            yield unseen("variables of the group", project.why, _NEED)

    def _runners(self) -> Iterator[Boundary]:
        """Those of the whole instance are somebody else's, and have nothing of ours."""
        found = ask_all(self._api, f"{self._path}/runners", _NEED)
        if found.items() is None:
            yield unseen("runners", found.why, _NEED)
        for runner in found.items() or ():
            if runner.get("runner_type") != "instance_type":
                yield self._runner(runner)

    def _runner(self, runner: Mapping[str, Any]) -> Boundary:
        found = ask(self._api, f"/runners/{quote(str(runner.get('id')))}", _NEED)
        access = found.at("access_level")
        name = {"name": runner.get("description") or runner.get("id")}
        return boundary(
            f"runner {names([name])}",
            None if access is None else access == "ref_protected",
            ("is protected", "every pushed branch may run there, and read what lies there"),
            ("Settings, CI/CD, Runners: protected", _NEED),
            found.why,
        )


def _covers(protected: Mapping[str, Any], branch: str) -> bool:
    """Whether a protection, by name or with `*` in it, is of this branch."""
    return fnmatchcase(branch, str(protected.get("name")).replace("[", "[[]").replace("?", "[?]"))


def _few(item: Mapping[str, Any], *keys: str) -> Seen:
    """Whether nobody below maintainers is let in by the levels below `keys`; not seen where they are not listed. Named
    people, groups and deploy keys were chosen by somebody."""
    found: list[Any] = []
    for key in keys:
        levels = item.get(key)
        if not isinstance(levels, list) or not all(isinstance(level, dict) for level in levels):
            return None
        found += levels
    chosen = ("user_id", "group_id", "deploy_key_id")
    open_to = [level.get("access_level") for level in found if not any(level.get(key) for key in chosen)]
    if not all(isinstance(level, int) for level in open_to):
        return None
    return all(level == 0 or level >= _MAINTAINER for level in open_to)
