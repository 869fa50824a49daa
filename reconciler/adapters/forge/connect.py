"""Which forge this job runs on, and for which pull request: read from the variables that its runner sets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from ...errors import Invalid
from ...ports import Boundaries, Forge
from .github import GitHub
from .github_boundaries import GitHubBoundaries
from .gitlab import GitLab
from .gitlab_boundaries import GitLabBoundaries
from .http import Api

_GITHUB = "https://api.github.com"
_GITLAB = "https://gitlab.com/api/v4"
# The first that is set counts. A job token of GitLab may not write notes, so CI_JOB_TOKEN is none of them.
_GITHUB_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
_GITLAB_TOKENS = ("RECONCILER_GITLAB_TOKEN", "GITLAB_TOKEN")


def forge(environment: Mapping[str, str]) -> Forge:
    """The forge of this job, or of a laptop where somebody set the same variables: GITHUB_REPOSITORY and GITHUB_TOKEN
    (and GITHUB_API_URL for a host of one's own), or CI_PROJECT_ID and GITLAB_TOKEN (and CI_API_V4_URL).

    Nobody is asked yet. Raises Invalid when neither is set, or what is set can't be used.
    """
    if project := _project(environment):
        return _gitlab(environment, project)
    if repository := environment.get("GITHUB_REPOSITORY"):
        return _github(environment, repository)
    raise _no_forge()


def boundaries(environment: Mapping[str, str]) -> Boundaries:
    """What the same forge keeps from whoever may push a branch. Raises like `forge`."""
    if project := _project(environment):
        return GitLabBoundaries(_gitlab_api(environment), project, environment)
    if repository := environment.get("GITHUB_REPOSITORY"):
        return GitHubBoundaries(_github_api(environment, repository), repository)
    raise _no_forge()


def _project(environment: Mapping[str, str]) -> str | None:
    return environment.get("CI_PROJECT_ID") or environment.get("CI_PROJECT_PATH")


def _no_forge() -> Invalid:
    hint = "set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN, or CI_PROJECT_ID and GITLAB_TOKEN; a job has them"
    return Invalid("no forge: this is no job of GitHub Actions and none of GitLab CI", hint=hint)


def _github_api(environment: Mapping[str, str], repository: str) -> Api:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise Invalid(f"GITHUB_REPOSITORY is {repository!r}", hint="it is owner/name, such as our-lab/clusters")
    return Api(
        environment.get("GITHUB_API_URL") or _GITHUB,
        _token(environment, _GITHUB_TOKENS),
        {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        name="GitHub",
        tokens=_GITHUB_TOKENS,
    )


def _github(environment: Mapping[str, str], repository: str) -> GitHub:
    api = _github_api(environment, repository)
    server, job = environment.get("GITHUB_SERVER_URL", "https://github.com"), environment.get("GITHUB_RUN_ID", "")
    run = f"{server}/{repository}/actions/runs/{job}" if job.isdigit() else ""
    return GitHub(api, repository, change=_pull_request(environment), run=run)


def _pull_request(environment: Mapping[str, str]) -> int | None:
    """From the event, which is right for every kind of it; else from the ref, refs/pull/12/merge."""
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH") or "/dev/null").read_bytes())
    except (OSError, ValueError):
        event = None
    found = event.get("pull_request") if isinstance(event, dict) else None
    if isinstance(found, dict) and isinstance(found.get("number"), int):
        return int(found["number"])
    ref = re.fullmatch(r"refs/pull/(\d+)/(merge|head)", environment.get("GITHUB_REF", ""))
    return int(ref[1]) if ref else None


def _gitlab_api(environment: Mapping[str, str]) -> Api:
    return Api(
        environment.get("CI_API_V4_URL") or _GITLAB,
        _token(environment, _GITLAB_TOKENS),
        {"Accept": "application/json"},
        name="GitLab",
        tokens=_GITLAB_TOKENS,
    )


def _gitlab(environment: Mapping[str, str], project: str) -> GitLab:
    api = _gitlab_api(environment)
    change = environment.get("CI_MERGE_REQUEST_IID", "")
    return GitLab(api, project, change=int(change) if change.isdigit() else None, run=environment.get("CI_JOB_URL", ""))


def _token(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name, "").strip())), "")
