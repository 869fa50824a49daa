"""Environments beside each other: who may share what, who claims what is another's, and what is worth a word."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state
from reconciler.spec.environments import remarks
from reconciler.spec.load import DesiredCluster
from reconciler.spec.render import objects
from tests.unit.examples import CLUSTER, FILE

ROOT = Path(__file__).parents[3]
TODAY = datetime.date(2026, 11, 25)
TEMPLATES = {str(p.relative_to(ROOT)): p.read_bytes() for p in (ROOT / "manifests/environments").rglob("*.yaml")}
DIGEST = "sha256:" + "0123456789abcdef" * 4


def file(name: str) -> str:
    return f"desired/demo/environments/{name}.yaml"


def environment(name: str = "work", owner: str = "ada", type_: str = "jupyter", *more: str) -> str:
    head = f"apiVersion: research.moc/v1alpha1\nkind: Environment\nmetadata:\n  name: {name}\nspec:\n"
    return head + "".join(f"  {line}\n" for line in (f"type: {type_}", f"owner: {owner}", *more))


def files(more: Mapping[str, str], workload: str = "") -> dict[str, bytes]:
    sid = {"manifests/sid/a.yaml": workload or "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}
    cluster = CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid, namespace: sid}\n"
    return {**TEMPLATES, **{path: text.encode() for path, text in {FILE: cluster, **sid, **more}.items()}}


def loaded(more: Mapping[str, str], workload: str = "") -> DesiredCluster:
    (cluster,) = desired_state.load(files(more, workload))
    return cluster


def refused(more: Mapping[str, str], workload: str = "") -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        loaded(more, workload)
    return caught.value.problems


def test_two_researchers_may_call_theirs_the_same_and_one_may_not_twice() -> None:
    assert len(loaded({file("a"): environment(), file("b"): environment(owner="bob")}).environments) == 2
    (problem,) = refused({file("a"): environment(), file("b"): environment(type_="rstudio")})
    assert (problem.file, problem.line, problem.path) == (file("b"), 4, "metadata.name")
    assert problem.message == f"there is already one of kind Environment called 'ada/work' at {file('a')}:4"


def test_two_environments_share_what_is_their_owners_and_nothing_else() -> None:
    more = {
        file("a"): environment(),
        file("b"): environment("other", "ada", "rstudio"),
        file("c"): environment("c", "bob"),
    }
    found = objects.workloads(loaded(more), files(more))
    keys = [str(objects.key(m)) for m in found]
    assert len(keys) == len(set(keys))
    assert [k for k in keys if k.startswith(("Namespace", "ResourceQuota"))] == [
        "Namespace env-ada", "ResourceQuota env-ada/owner", "Namespace env-bob", "ResourceQuota env-bob/owner",
    ]  # fmt: skip
    assert keys.count("PriorityClass environment") == 1


def test_nobody_elses_pods_may_reach_an_environment() -> None:
    """NetworkPolicies as data: who may open a connection to the pods of ada's environment."""
    more = {file("a"): environment(), file("b"): environment(owner="bob")}
    policies = [m for m in objects.workloads(loaded(more), files(more)) if m["kind"] == "NetworkPolicy"]
    mine = [p["spec"] for p in policies if p["metadata"]["namespace"] == "env-ada"]
    assert {"podSelector": {}, "policyTypes": ["Ingress"]} in mine, "nobody, unless"
    (way,) = [rule["from"] for spec in mine for rule in spec.get("ingress", [])]
    assert way == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "sid"}}}]


@pytest.mark.parametrize(
    ("workload", "what"),
    [
        ("kind: Namespace\napiVersion: v1\nmetadata: {name: env-ada}\n", "Namespace env-ada"),
        ("kind: Secret\napiVersion: v1\nmetadata: {name: work, namespace: env-ada}\n", "Secret env-ada/work"),
    ],
)
def test_an_object_of_a_workload_is_no_environments_too(workload: str, what: str) -> None:
    (problem,) = refused({file("a"): environment()}, workload)
    assert (problem.file, problem.line) == (file("a"), 4)
    assert problem.message == f"environment 'ada/work' makes {what}, which is already defined at manifests/sid/a.yaml:1"


def test_a_template_that_gives_two_environments_one_object_is_found() -> None:
    path = "manifests/environments/jupyter/extra.yaml"
    fixed = {path: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\ndata: {of: '{{ name }}'}\n"}
    more = {file("a"): environment(), file("b"): environment("other")}
    (problem,) = refused({**fixed, **more})
    assert (problem.file, "ConfigMap env-ada/fixed" in problem.message) == (file("b"), True)
    assert loaded({path: fixed[path].replace("{{ name }}", "all"), **more})


def test_a_host_belongs_to_one_environment() -> None:
    access = "access: {via: route, host: ada.example.org}"
    more = {
        file("a"): environment("a", "ada", "jupyter", access),
        file("b"): environment("b", "bob", "jupyter", access),
    }
    (problem,) = refused(more)
    assert (problem.file, problem.line, problem.path) == (file("b"), 8, "spec.access.host")
    assert problem.message == f"'ada.example.org' is already claimed at {file('a')}:8"


def application(name: str, host: str) -> str:
    head = f"apiVersion: research.moc/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n"
    return head + f"  target: moc\n  namespace: web\n  image: example.org/web:1\n  host: {host}\n"


APP = "desired/demo/applications/web.yaml"
CLAIMED = f"'a.example.org' is already claimed at {APP}:8"


def test_nor_is_it_another_applications() -> None:
    other = "desired/demo/applications/x.yaml"
    (problem,) = refused({APP: application("web", "a.example.org"), other: application("x", "a.example.org")})
    assert (problem.file, problem.line, problem.path, problem.message) == (other, 8, "spec.host", CLAIMED)


@pytest.mark.parametrize("cluster", ["demo", "sid"])
def test_nor_an_applications_in_whichever_cluster(cluster: str) -> None:
    env = file("a").replace("demo", cluster)
    more = {
        APP: application("web", "a.example.org"),
        "desired/sid/cluster.yaml": CLUSTER.replace("name: demo", "name: sid", 1),
        env: environment("a", "ada", "jupyter", "access: {via: route, host: a.example.org}"),
    }
    (problem,) = refused(more)
    assert (problem.file, problem.line, problem.path, problem.message) == (env, 8, "spec.access.host", CLAIMED)


INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  rules:
    - host: b.example.org
    - {host: a.example.org}
"""
ROUTE = "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: a}\nspec:\n  host: a.example.org\n"


@pytest.mark.parametrize(("workload", "line"), [(INGRESS, 7), (ROUTE, 5)])
def test_nor_that_of_a_workloads_way_in(workload: str, line: int) -> None:
    (problem,) = refused({APP: application("web", "a.example.org")}, workload)
    assert (problem.file, problem.line, problem.message) == ("manifests/sid/a.yaml", line, CLAIMED)


def test_two_ways_in_of_workloads_may_share_a_host_as_they_may_share_its_paths() -> None:
    assert loaded({}, INGRESS + "---\n" + INGRESS.replace("name: a}", "name: b}", 1))


@pytest.mark.parametrize("spec", ["null", "[1]", "{rules: 5}", "{rules: [5, {host: [a.example.org]}]}"])
def test_what_is_no_way_in_claims_nothing(spec: str) -> None:
    text = f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: a}}\nspec: {spec}\n"
    assert loaded({APP: application("web", "a.example.org")}, text)


def told(more: Mapping[str, str], today: datetime.date = TODAY) -> list[Problem]:
    cluster, given = loaded(more), files(more)
    return remarks(cluster, objects.environments(cluster, given), given, today)


def test_a_tag_is_worth_a_word_and_a_digest_is_not() -> None:
    assert told({file("a"): environment("a", "ada", "jupyter", f"image: quay.io/a/b:1@{DIGEST}")}) == []
    (own,) = told({file("a"): environment("a", "ada", "jupyter", "image: quay.io/a/b:1")})
    assert (own.file, own.line) == (file("a"), 8)
    assert "crane digest quay.io/a/b:1" in (own.hint or "")
    (default,) = told({file("a"): environment("a", "ada", "desktop")})
    assert (default.file, default.line) == ("manifests/environments/desktop/environment.yaml", 1)


def test_what_has_expired_is_worth_a_word() -> None:
    more = {file("a"): environment("a", "ada", "jupyter", "expires: 2026-11-25")}
    assert told(more) == []
    (found,) = told(more, TODAY + datetime.timedelta(days=1))
    assert (found.line, found.message.startswith("expired on 2026-11-25")) == (8, True)


def test_more_than_a_quota_has_is_worth_a_word_and_the_stopped_do_not_count() -> None:
    def three(*last: str) -> dict[str, str]:
        big = ('cpu: "6"', "memory: 30Gi", "gpu: 1")
        return {file(n): environment(n, "ada", "jupyter", *big, *(last if n == "c" else ())) for n in "abc"}

    found = {p.path: p.message for p in told(three())}
    assert found["spec.cpu"].startswith("the environments of 'ada' ask for requests.cpu 18, and their quota has 16")
    assert "90Gi, and their quota has 64Gi" in found["spec.memory"]
    assert "requests.nvidia.com/gpu 3, and their quota has 2" in found["spec.gpu"]
    assert [p.path for p in told(three("expires: 2026-01-01"))] == ["spec.expires"]


def test_two_hundred_environments_are_rendered_in_seconds() -> None:
    """Two seconds where nothing else runs: the bound is for a machine that does much else."""
    types = ("jupyter", "rstudio", "desktop")
    more = {file(f"e{n}"): environment(f"e{n}", f"owner{n % 100}", types[n % 3]) for n in range(200)}
    cluster, given = loaded(more), files(more)
    started = time.process_time()
    found = objects.workloads(cluster, given, TODAY)
    spent = time.process_time() - started
    assert len(found) > 200 * 7
    print(f"{len(found)} objects of 200 environments in {spent:.2f} s of CPU time")  # noqa: T201
    assert spent < 20
