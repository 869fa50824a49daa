"""What whoever may push a branch gets from a repository's workflows: read off their YAML, as GitHub and GitLab run it.

A pushed branch brings workflows of its own: any event, any condition, any label of a runner, any name of a secret. So
what is judged is where the credentials of a workflow lie, not which conditions stand before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

# Machines of GitHub's own: nothing of ours lies on them, and nobody else's job ran there before.
HOSTED = re.compile(r"(ubuntu|windows|macos)-(latest|\d[\w.-]*)")
# The workflow and what it checks out when nothing is said are the pull request's own.
BROUGHT = {"pull_request", "pull_request_review", "pull_request_review_comment", "merge_group"}
# The workflow is main's, but what it is about is not.
ABOUT = {"pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "discussion_comment", "fork"}
# What a stranger writes, and GitHub puts into an expression as it is.
_STRANGERS = re.compile(r"\$\{\{[^}]*(github\.event\.|github\.head_ref|github\.ref_name|inputs\.)")


def on_github(text: str) -> list[str]:
    """What is open in one workflow; empty when nothing is."""
    workflow = yaml.load(text, Loader=yaml.BaseLoader)
    events = workflow["on"] if isinstance(workflow["on"], (list, Mapping)) else [workflow["on"]]
    if "secrets." in str({key: value for key, value in workflow.items() if key != "jobs"}):
        return ["secrets outside of a job are outside of its environment"]
    jobs: Mapping[str, Any] = workflow["jobs"]
    return [f"{name}: {said}" for name, job in jobs.items() for said in _open(workflow, job, set(events))]


def _open(workflow: Mapping[str, Any], job: Mapping[str, Any], events: set[str]) -> Iterator[str]:
    runner, secret = str(job.get("runs-on", "")), _secret(job)
    if "uses" not in job and not HOSTED.fullmatch(runner):
        yield f"runs on {runner}, where any branch may run, and where what lies there can be read"
    if secret and "environment" not in job:
        yield "has a secret of the repository, which any branch may read"
    permissions = job.get("permissions", workflow.get("permissions"))
    if permissions is None or permissions in ("write-all", "read-all"):
        yield "has a token that may do what the repository's settings say"
    if events & BROUGHT:
        yield from _brought(job, secret, permissions)
    if events & ABOUT:
        yield from _about(job)
    if "environment" in job and not any(_guarded(step, job["environment"]) for step in job["steps"]):
        yield "does not ask whether its environment is main's alone"
    for step in job.get("steps", ()):
        if _STRANGERS.search(step.get("run", "")):
            yield "puts what a stranger wrote into a command"
        if step.get("uses", "").startswith("actions/checkout@") and step["with"].get("persist-credentials") != "false":
            yield "leaves its token in the clone"


def _brought(job: Mapping[str, Any], secret: bool, permissions: Any) -> Iterator[str]:
    writes = [key for key, value in dict(permissions or {}).items() if value == "write"]
    if secret or "environment" in job:
        yield "gives a credential to what a pull request brings"
    if writes:
        yield f"gives a pull request's own workflow a token that writes {', '.join(writes)}"


def _about(job: Mapping[str, Any]) -> Iterator[str]:
    for step in job.get("steps", ()):
        if step.get("uses", "").startswith("actions/checkout@") and step["with"].get("ref") != "main":
            yield "checks out what may be somebody else's, beside a credential"
        if step.get("uses", "").startswith("actions/download-artifact@"):
            yield "reads what a pull request's own run left"


def _secret(job: Mapping[str, Any]) -> bool:
    named = set(re.findall(r"secrets(?:\.(\w+)|\[)", str(job))) - {"GITHUB_TOKEN"}
    return bool(named) or job.get("secrets") == "inherit"


def _guarded(step: Mapping[str, Any], environment: object) -> bool:
    """The action refuses to work for an environment that is open to others: `reconciler ci guard`."""
    given = step.get("with") or {}
    return step.get("uses") == "./.github/actions/reconciler" and given.get("environment") == environment


def on_gitlab(text: str) -> list[str]:
    """What is open in a .gitlab-ci.yml, where every variable but its own, and every tag of a runner, is protected: a
    pipeline of a branch gets none of them, so no job that needs one may run in it."""
    file = yaml.safe_load(text)
    jobs = {name: _merged(file, name) for name, job in file.items() if isinstance(job, dict) and "script" in job}
    found = [f"{name}: {said}" for name, job in jobs.items() for said in _open_job(job)]
    return [*found, *(["includes what somebody else may change"] if "include" in file else [])]


def _merged(file: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A job with what it extends, as GitLab merges: mappings deeply, anything else by the last."""
    job, whole = file[name], dict[str, Any]()
    bases = job.get("extends", [])
    for part in [*(_merged(file, b) for b in ([bases] if isinstance(bases, str) else bases)), job]:
        whole |= {k: {**whole.get(k, {}), **v} if isinstance(v, dict) else v for k, v in part.items()}
    return whole


def _open_job(job: Mapping[str, Any]) -> Iterator[str]:
    needs = [key for key in ("tags", "environment", "id_tokens", "secrets") if key in job]
    needs += re.findall(r"\$\w*TOKEN", str([job.get("variables"), job.get("script"), job.get("before_script")]))
    if not needs:
        return
    allowed = [rule for rule in job.get("rules", [{}]) if rule.get("when") != "never"]
    if not all("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule.get("if", "") for rule in allowed):
        yield f"takes {', '.join(sorted(set(needs)))} in pipelines that are not main's"
    if "||" in str(allowed):
        yield "runs on one of several conditions"
    if "reconciler ci guard" not in str(job.get("before_script")):
        yield "does not ask whether its branch is protected"
