"""Environments: what a researcher asks for becomes objects, and a template's mistake is found at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Invalid
from reconciler.model.desired import Environment
from reconciler.ports import Manifest
from reconciler.spec.render.environment import environment

TEMPLATES = Path(__file__).parents[4] / "manifests" / "environments"
TYPES = ("jupyter", "rstudio", "desktop")


def wanted(type_: str = "jupyter", **spec: Any) -> Environment:
    body = {"type": type_, "owner": "ada", "cpu": "2", "memory": "4Gi", "volume": "20Gi"} | spec
    document = {"apiVersion": "research.moc/v1alpha1", "kind": "Environment", "metadata": {"name": "work"}}
    return Environment.model_validate({**document, "spec": body})


def templates(type_: str) -> dict[str, bytes]:
    return {f"manifests/environments/{type_}/{p.name}": p.read_bytes() for p in (TEMPLATES / type_).iterdir()}


def made(type_: str, **spec: Any) -> dict[str, Manifest]:
    found = environment(wanted(type_, **spec), templates(type_))
    by_name = {f"{m['kind']} {m['metadata']['name']}": m for m in found}
    assert len(by_name) == len(found)
    return by_name


@pytest.mark.parametrize("type_", TYPES)
def test_an_environment_is_what_was_asked_for_and_nothing_more_may_be_done(type_: str) -> None:
    objects = made(type_)
    pod = objects["StatefulSet work"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "4Gi"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert objects["ServiceAccount work"]["automountServiceAccountToken"] is False
    assert objects["PersistentVolumeClaim work"]["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert "volumeClaimTemplates" not in objects["StatefulSet work"]["spec"]
    labels = objects["Namespace env-ada"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    rest = [m for name, m in objects.items() if name != "Namespace env-ada"]
    assert all(m["metadata"]["namespace"] == "env-ada" for m in rest)


@pytest.mark.parametrize("type_", TYPES)
def test_the_image_is_pinned_and_can_be_replaced(type_: str) -> None:
    def image(**spec: Any) -> str:
        return str(made(type_, **spec)["StatefulSet work"]["spec"]["template"]["spec"]["containers"][0]["image"])

    assert image().rpartition(":")[2] not in ("", "latest")
    assert image(image='r.example.org/a:1 # "quoted"') == 'r.example.org/a:1 # "quoted"'


@pytest.mark.parametrize("type_", TYPES)
def test_the_token_is_asked_for_and_its_value_is_nowhere(type_: str) -> None:
    secret = made(type_)["Secret work"]
    assert secret["metadata"]["annotations"] == {"research.moc/generate": "token"}
    assert "data" not in secret
    assert "stringData" not in secret


def test_what_an_owner_shares_is_the_same_whatever_they_ask_for() -> None:
    assert len({(TEMPLATES / type_ / "owner.yaml").read_bytes() for type_ in TYPES}) == 1


def test_the_last_day_is_noted_where_somebody_will_look() -> None:
    annotations = made("jupyter", expires="2027-06-30")["StatefulSet work"]["metadata"]["annotations"]
    assert annotations == {"research.moc/expires": "2027-06-30"}
    assert "annotations" not in made("jupyter")["StatefulSet work"]["metadata"]


def test_names_that_yaml_would_take_for_something_else_stay_names() -> None:
    objects = made("jupyter", owner="null")
    assert objects["StatefulSet work"]["metadata"]["labels"]["research.moc/owner"] == "null"


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("a: 1\nb: {{ nothing }}\n", 2),
        ("a: 1\n\nb: {{ name\n", 3),
        ("a: 1\nb: {{ name.__class__.__mro__ }}\n", 2),
        ("a: {{ 1 // 0 }}\n", 1),
        ("kind: A\nmetadata: {name: x}\n", 1),
    ],
)
def test_a_templates_mistake_is_named_at_its_line(template: str, line: int) -> None:
    with pytest.raises(Invalid) as refused:
        environment(wanted(), {"e/jupyter/a.yaml": template.encode()})
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("e/jupyter/a.yaml", line)


def test_a_type_without_templates_says_where_they_belong() -> None:
    with pytest.raises(Invalid, match="no templates") as refused:
        environment(wanted("rstudio"), {})
    assert "manifests/environments/rstudio" in (refused.value.hint or "")
