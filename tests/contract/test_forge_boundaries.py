"""What a forge keeps from whoever may push a branch, asked of servers that answer as the documentation of GitHub and
GitLab says. What can't be seen is never closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.adapters.forge import boundaries
from reconciler.errors import Invalid
from reconciler.ports import Standing
from tests.forges import Answer, Server, serving

CLOSED, OPEN, UNSEEN = Standing.CLOSED, Standing.OPEN, Standing.UNSEEN
REPO, PROJECT = "/repos/lab/clusters", "/projects/lab%2Fclusters"
REVIEW = {
    "required_approving_review_count": 1,
    "require_code_owner_review": True,
    "dismiss_stale_reviews_on_push": True,
    "require_last_push_approval": False,
}
POLICY = {"protected_branches": False, "custom_branch_policies": True}
WORKFLOW = "lab/clusters/.github/workflows/reconcile.yaml@refs/heads/main"
UPGRADE = "Upgrade to GitHub Pro or make this repository public to enable this feature."


def rule(kind: str, **parameters: Any) -> dict[str, Any]:
    made = {"type": kind, "ruleset_source_type": "Repository", "ruleset_source": "lab/clusters", "ruleset_id": 1}
    return made | ({"parameters": parameters} if parameters else {})


def counted(key: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"total_count": len(items), key: list(items)}


def branch_policies(*named: tuple[str, str]) -> dict[str, Any]:
    return counted("branch_policies", *({"id": 1, "name": name, "type": kind} for name, kind in named))


def levels(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": 1, "access_level": number, "access_level_description": "x"} for number in numbers]


GITHUB: dict[str, Any] = {
    REPO: {"private": True, "owner": {"login": "lab", "type": "Organization"}, "default_branch": "main"},
    f"{REPO}/branches/main": {"name": "main", "protected": True},
    f"{REPO}/rules/branches/main": [rule("deletion"), rule("non_fast_forward"), rule("pull_request", **REVIEW)],
    f"{REPO}/branches/main/protection": Answer(404, {"message": "Branch not protected"}),
    f"{REPO}/rules/branches/observed": [rule("update", update_allows_fetch_and_merge=False)],
    f"{REPO}/branches/observed/protection": Answer(404, {"message": "Branch not protected"}),
    f"{REPO}/actions/secrets": counted("secrets"),
    f"{REPO}/actions/organization-secrets": counted("secrets"),
    f"{REPO}/environments": counted("environments", {"name": "plan", "deployment_branch_policy": POLICY}),
    f"{REPO}/environments/plan": {"name": "plan", "deployment_branch_policy": POLICY},
    f"{REPO}/environments/plan/deployment-branch-policies": branch_policies(("main", "branch")),
    f"{REPO}/actions/runners": counted("runners"),
    "/orgs/lab/actions/runner-groups": counted(
        "runner_groups", {"id": 1, "name": "Default", "restricted_to_workflows": False, "selected_workflows": []}
    ),
    "/orgs/lab/actions/runner-groups/1/runners": counted("runners"),
    f"{REPO}/actions/permissions/workflow": {
        "default_workflow_permissions": "read", "can_approve_pull_request_reviews": False,
    },
    f"{REPO}/actions/permissions/fork-pr-workflows-private-repos": {
        "run_workflows_from_fork_pull_requests": True, "send_write_tokens_to_workflows": False,
        "send_secrets_and_variables": False, "require_approval_for_fork_pr_workflows": True,
    },
}  # fmt: skip
GITLAB: dict[str, Any] = {
    PROJECT: {"default_branch": "main", "namespace": {"kind": "group", "full_path": "lab"}},
    f"{PROJECT}/protected_branches": [
        {"name": name, "push_access_levels": levels(40), "merge_access_levels": levels(40), "allow_force_push": False}
        for name in ("main", "obs*")
    ],
    f"{PROJECT}/protected_tags": [{"name": "v*", "create_access_levels": levels(40)}],
    f"{PROJECT}/variables": [{"key": "GITLAB_TOKEN", "value": "canary", "protected": True, "masked": True}],
    "/groups/lab/variables": [],
    f"{PROJECT}/runners": [
        {"id": 3, "description": "ours", "runner_type": "project_type"},
        {"id": 4, "description": "everybody's", "runner_type": "instance_type"},
    ],
    "/runners/3": {"id": 3, "description": "ours", "access_level": "ref_protected"},
}


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving(request.param) as made:
        made.settings = dict(GITHUB if request.param == "github" else GITLAB)
        yield made


on_github = pytest.mark.parametrize("server", ["github"], indirect=True)
on_gitlab = pytest.mark.parametrize("server", ["gitlab"], indirect=True)
on_both = pytest.mark.parametrize("server", ["github", "gitlab"], indirect=True)


def asked(server: Server) -> dict[str, Standing]:
    found = boundaries(server.environment).every("main", "observed")
    assert all(b.hint for b in found if b.standing is not CLOSED), "each says what to do"
    assert "canary" not in str(found), "values of variables go nowhere"
    return {b.name: b.standing for b in found}


@on_both
def test_what_is_set_up_as_written_is_closed(server: Server) -> None:
    found = asked(server)
    assert len(found) >= 8
    assert {name for name, standing in found.items() if standing is not CLOSED} == set()


@on_both
def test_what_a_token_may_not_see_is_never_closed(server: Server) -> None:
    for path in list(server.settings):
        kept = server.settings[path]
        for refusal in (Answer(403, {"message": "Resource not accessible"}), Answer(404, {"message": "Not Found"})):
            server.settings[path] = refusal
            before = asked(server)
            if path not in (f"{REPO}/branches/main", f"{REPO}/environments/plan"):  # a job asks for these
                assert UNSEEN in before.values() or path.endswith("/protection"), path
        server.settings[path] = kept
    server.settings = {}
    assert set(asked(server).values()) == {UNSEEN}


@on_both
@pytest.mark.parametrize("nonsense", [[], {}, "x", 7, [7], {"total_count": "x", "secrets": 7}, {"total_count": 1}])
def test_answers_of_another_shape_are_not_closed(server: Server, nonsense: object) -> None:
    server.settings = dict.fromkeys(server.settings, Answer(200, nonsense))
    found = asked(server)
    seen = {name for name, standing in found.items() if standing is CLOSED}
    # an empty list of variables, tags or rules is an answer, and one that is right
    assert seen == (
        {"variables of the project", "protected tags"} if nonsense == [] and server.kind == "gitlab" else set()
    )


@on_github
@pytest.mark.parametrize(
    ("path", "answer", "name", "standing"),
    [
        (f"{REPO}/rules/branches/main", [], "branch main: review", OPEN),
        (f"{REPO}/rules/branches/main", [], "branch main: history", OPEN),
        (
            f"{REPO}/rules/branches/main",
            [rule("pull_request", **REVIEW | {"required_approving_review_count": 0})],
            "branch main: review",
            OPEN,
        ),
        (
            f"{REPO}/rules/branches/main",
            [rule("pull_request", **REVIEW | {"dismiss_stale_reviews_on_push": False})],
            "branch main: later pushes",
            OPEN,
        ),
        (
            f"{REPO}/rules/branches/main",
            [rule("pull_request", **REVIEW | {"require_code_owner_review": False})],
            "branch main: code owners",
            OPEN,
        ),
        (f"{REPO}/rules/branches/observed", [rule("deletion")], "branch observed", OPEN),
        (f"{REPO}/actions/secrets", counted("secrets", {"name": "CLOUDS"}), "secrets of the repository", OPEN),
        (
            f"{REPO}/actions/organization-secrets",
            counted("secrets", {"name": "A"}),
            "secrets of the organisation",
            OPEN,
        ),
        (
            f"{REPO}/environments",
            counted("environments", {"name": "plan", "deployment_branch_policy": None}),
            "environment plan",
            OPEN,
        ),
        (
            f"{REPO}/environments",
            counted("environments", {"name": "plan"}),
            "environment plan",
            UNSEEN,
        ),
        (
            f"{REPO}/environments",
            counted(
                "environments",
                {
                    "name": "plan",
                    "deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False},
                },
            ),
            "environment plan",
            OPEN,
        ),
        (
            f"{REPO}/environments/plan/deployment-branch-policies",
            branch_policies(("main", "branch"), ("feature/*", "branch")),
            "environment plan",
            OPEN,
        ),
        (
            f"{REPO}/environments/plan/deployment-branch-policies",
            branch_policies(("main", "tag")),
            "environment plan",
            OPEN,
        ),
        (f"{REPO}/actions/runners", counted("runners", {"name": "nuc"}), "runners of the repository", OPEN),
        (
            f"{REPO}/actions/runners",
            counted("runners", {"name": "vm", "ephemeral": True}),
            "runners of the repository",
            UNSEEN,
        ),
        (f"{REPO}/actions/runners", {"total_count": 2, "runners": []}, "runners of the repository", UNSEEN),
        (
            "/orgs/lab/actions/runner-groups/1/runners",
            counted("runners", {"name": "nuc"}),
            "group of runners Default",
            OPEN,
        ),
        (
            f"{REPO}/actions/permissions/workflow",
            {"default_workflow_permissions": "write", "can_approve_pull_request_reviews": False},
            "token of workflows",
            OPEN,
        ),
        (
            f"{REPO}/actions/permissions/workflow",
            {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": True},
            "token of workflows",
            OPEN,
        ),
        (
            f"{REPO}/actions/permissions/fork-pr-workflows-private-repos",
            {"send_write_tokens_to_workflows": False, "send_secrets_and_variables": True},
            "forks",
            OPEN,
        ),
    ],
)
def test_each_step_that_was_left_out_is_found(
    server: Server, path: str, answer: Any, name: str, standing: Standing
) -> None:
    server.settings[path] = answer
    assert asked(server)[name] is standing


@on_github
@pytest.mark.parametrize(
    ("workflows", "standing"),
    [
        ([WORKFLOW], CLOSED),
        ([WORKFLOW, WORKFLOW.replace("main", "x")], OPEN),
        ([WORKFLOW.replace("lab/clusters", "other/clusters")], OPEN),
        (["lab/clusters/.github/workflows/reconcile.yaml"], OPEN),
        ([WORKFLOW.replace("reconcile.yaml", "x/../../reconcile.yaml")], OPEN),
        ([None], OPEN),
        (None, OPEN),
    ],
)
def test_a_group_of_runners_is_closed_by_being_bound_to_workflows_of_main(
    server: Server, workflows: Any, standing: Standing
) -> None:
    group = {"id": 1, "name": "Default", "restricted_to_workflows": True, "selected_workflows": workflows}
    server.settings["/orgs/lab/actions/runner-groups"] = counted("runner_groups", group)
    server.settings["/orgs/lab/actions/runner-groups/1/runners"] = counted("runners", {"name": "nuc"})
    assert asked(server)["group of runners Default"] is standing


@on_github
def test_the_older_protection_of_a_branch_counts_as_well(server: Server) -> None:
    server.settings[f"{REPO}/rules/branches/main"] = []
    server.settings[f"{REPO}/branches/main/protection"] = {
        "required_pull_request_reviews": {
            "required_approving_review_count": 2, "require_code_owner_reviews": True, "dismiss_stale_reviews": True,
        },
        "allow_force_pushes": {"enabled": False},
    }  # fmt: skip
    assert {s for name, s in asked(server).items() if name.startswith("branch main")} == {CLOSED}
    server.settings[f"{REPO}/branches/main/protection"] = {"allow_force_pushes": {"enabled": True}}
    assert {s for name, s in asked(server).items() if name.startswith("branch main")} == {OPEN}


@on_github
def test_a_private_repository_of_a_free_plan_is_open_and_the_way_out_is_named(server: Server) -> None:
    for branch in ("main", "observed"):
        server.settings[f"{REPO}/rules/branches/{branch}"] = []
        server.settings[f"{REPO}/branches/{branch}/protection"] = Answer(403, {"message": UPGRADE})
    found = {b.name: b for b in boundaries(server.environment).every("main", "observed")}
    assert found["branch main: review"].standing is OPEN
    assert "reconciler run" in found["branch main: review"].hint


@on_github
@pytest.mark.parametrize(("private", "named"), [(True, True), (False, False), ("x", True)])
def test_forks_of_a_public_repository_get_nothing_anyway(server: Server, private: object, named: bool) -> None:
    server.settings[REPO] = GITHUB[REPO] | {"private": private}
    assert ("forks" in asked(server)) == named


@on_gitlab
@pytest.mark.parametrize(
    ("path", "answer", "name", "standing"),
    [
        (f"{PROJECT}/protected_branches", [], "branch main", OPEN),
        (f"{PROJECT}/protected_branches", [], "branch observed", OPEN),
        (
            f"{PROJECT}/protected_branches",
            [{"name": "main", "push_access_levels": levels(40), "merge_access_levels": levels(30)}],
            "protected branch main",
            OPEN,
        ),
        (
            f"{PROJECT}/protected_branches",
            [{"name": "*", "push_access_levels": levels(0, 30), "merge_access_levels": levels(40)}],
            "protected branch *",
            OPEN,
        ),
        (
            f"{PROJECT}/protected_branches",
            [{"name": "main", "push_access_levels": levels(0), "merge_access_levels": levels(40)}],
            "protected branch main",
            CLOSED,
        ),
        (
            f"{PROJECT}/protected_branches",
            [{"name": "main", "push_access_levels": levels(40), "merge_access_levels": [], "allow_force_push": True}],
            "branch main",
            OPEN,
        ),
        (f"{PROJECT}/protected_tags", [{"name": "*", "create_access_levels": levels(30)}], "protected tags", OPEN),
        (f"{PROJECT}/variables", [{"key": "X", "value": "canary"}], "variables of the project", OPEN),
        ("/groups/lab/variables", [{"key": "X", "protected": False}], "variables of the group", OPEN),
        ("/runners/3", {"access_level": "not_protected"}, "runner ours", OPEN),
        ("/runners/3", {}, "runner ours", UNSEEN),
    ],
)
def test_so_it_is_on_gitlab(server: Server, path: str, answer: Any, name: str, standing: Standing) -> None:
    server.settings[path] = answer
    assert asked(server)[name] is standing


class TestOfAJob:
    @on_github
    def test_its_environment_is_mains_alone(self, server: Server) -> None:
        refused = Answer(403, {"message": "Resource not accessible by integration"})
        server.settings[f"{REPO}/branches/main/protection"] = refused  # a job is no administrator
        found = boundaries(server.environment).of_job("main", "plan")
        assert [(b.name, b.standing) for b in found] == [("environment plan", CLOSED), ("branch main", CLOSED)]

    @on_github
    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            (f"{REPO}/environments/plan", Answer(404, {"message": "Not Found"})),
            (f"{REPO}/environments/plan", {"name": "plan", "deployment_branch_policy": None}),
            (f"{REPO}/environments/plan/deployment-branch-policies", branch_policies(("*", "branch"))),
            (f"{REPO}/branches/main", {"name": "main", "protected": False}),
        ],
    )
    def test_else_the_job_does_not_go_on(self, server: Server, path: str, answer: Any) -> None:
        server.settings[f"{REPO}/rules/branches/main"] = []
        server.settings[path] = answer
        found = boundaries(server.environment).of_job("main", "plan")
        assert {b.standing for b in found} != {CLOSED}

    @on_gitlab
    @pytest.mark.parametrize(("said", "standing"), [("true", CLOSED), ("false", OPEN), (None, UNSEEN)])
    def test_on_gitlab_it_is_on_a_protected_branch(self, server: Server, said: str | None, standing: Standing) -> None:
        job = server.environment | ({"CI_COMMIT_REF_PROTECTED": said} if said else {})
        assert [b.standing for b in boundaries(job).of_job("main", "plan")] == [standing]


def test_without_a_forge_or_a_token() -> None:
    with pytest.raises(Invalid, match="no forge"):
        boundaries({})
    with pytest.raises(Invalid, match="there is no token"):
        boundaries({"GITHUB_REPOSITORY": "lab/clusters"}).every("main", "observed")
