"""Environments: what a researcher asks for becomes objects, and a template's mistake is found at its line."""

from __future__ import annotations

import base64
import datetime
import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from reconciler.errors import Invalid
from reconciler.model.desired import Environment, pinned
from reconciler.ports import Manifest
from reconciler.spec.render.environment import COMMON, OWNER, environment, shared

ROOT = Path(__file__).parents[4]
TEMPLATES = ROOT / "manifests" / "environments"
TYPES = ("jupyter", "rstudio", "desktop")
TODAY = datetime.date(2026, 11, 25)

every_type = pytest.mark.parametrize("type_", TYPES)


def wanted(type_: str = "jupyter", name: str = "work", **spec: Any) -> Environment:
    spec = {to_camel(key): value for key, value in spec.items()}
    body = {"type": type_, "owner": "ada", "cpu": "2", "memory": "4Gi", "volume": "20Gi"} | spec
    document = {"apiVersion": "research.moc/v1alpha1", "kind": "Environment", "metadata": {"name": name}}
    return Environment.model_validate({**document, "spec": body}, strict=False)


def below(*folders: str) -> dict[str, bytes]:
    return {str(p.relative_to(ROOT)): p.read_bytes() for f in folders for p in sorted((ROOT / f).iterdir())}


def made(type_: str, today: datetime.date = TODAY, **spec: Any) -> dict[str, Any]:
    """Every object by kind: an environment has one of each."""
    env = wanted(type_, **spec)
    found = [
        *shared(env.spec.owner, [env], below(OWNER)),
        *environment(env, below(COMMON, f"manifests/environments/{type_}"), today),
    ]
    return by_name(found)


def by_name(found: Iterable[Manifest]) -> dict[str, Any]:
    listed = list(found)
    names = {f"{m['kind']} {m['metadata']['name']}": m for m in listed}
    assert len(names) == len(listed)
    return names


def pod(objects: Mapping[str, Any]) -> Any:
    return objects["StatefulSet work"]["spec"]["template"]["spec"]


@every_type
def test_an_environment_is_what_was_asked_for_and_nothing_more_may_be_done(type_: str) -> None:
    objects = made(type_)
    (container,) = pod(objects)["containers"]
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "4Gi"}
    assert container["resources"]["limits"] == {"memory": "4Gi"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod(objects)["securityContext"]["runAsNonRoot"] is True
    assert "initContainers" not in pod(objects)
    assert objects["ServiceAccount work"]["automountServiceAccountToken"] is False
    claim = objects["PersistentVolumeClaim work"]["spec"]
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}
    assert "volumeClaimTemplates" not in objects["StatefulSet work"]["spec"]
    labels = objects["Namespace env-ada"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    rest = [m for m in objects.values() if m["kind"] not in ("Namespace", "PriorityClass")]
    assert all(m["metadata"]["namespace"] == "env-ada" for m in rest)


@every_type
def test_the_image_is_pinned_and_can_be_replaced(type_: str) -> None:
    def image(**spec: Any) -> str:
        return str(pod(made(type_, **spec))["containers"][0]["image"])

    tag = image().partition("@")[0].rpartition(":")[2]
    assert tag not in ("", "latest")
    assert pinned(image()) == (type_ != "desktop"), "docs/knowledge.md says which are pinned by digest"
    assert image(image="r.example.org:5000/a:1") == "r.example.org:5000/a:1"


@every_type
def test_the_token_is_asked_for_and_its_value_is_nowhere(type_: str) -> None:
    secret = made(type_)["Secret work"]
    assert secret["metadata"]["annotations"]["research.moc/generate"] == "token"
    assert secret["metadata"]["annotations"]["research.moc/restarts"] == "StatefulSet/work"
    assert "data" not in secret
    assert "stringData" not in secret


@every_type
def test_a_gpu_is_asked_for_by_its_name_and_its_taint_is_borne(type_: str) -> None:
    objects = made(type_, gpu=2, gpu_resource="amd.com/gpu")
    (container,) = pod(objects)["containers"]
    assert container["resources"]["limits"] == {"memory": "4Gi", "amd.com/gpu": 2}
    assert {"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod(objects)["tolerations"]
    assert objects["ResourceQuota owner"]["spec"]["hard"]["requests.amd.com/gpu"] == "2"
    assert "amd.com/gpu" not in json.dumps(made(type_))


@every_type
def test_the_day_after_its_last_it_is_stopped_and_keeps_all_else(type_: str) -> None:
    running = made(type_, expires="2026-11-25")
    stopped = made(type_, today=TODAY + datetime.timedelta(days=1), expires="2026-11-25")
    assert "replicas" not in running["StatefulSet work"]["spec"]
    assert stopped["StatefulSet work"]["spec"].pop("replicas") == 0
    assert stopped == running
    assert running["StatefulSet work"]["metadata"]["annotations"] == {"research.moc/expires": "2026-11-25"}
    assert "annotations" not in made(type_)["StatefulSet work"]["metadata"]


def test_without_culling_git_keeps_it_running() -> None:
    assert made("jupyter", cull={"enabled": False})["StatefulSet work"]["spec"]["replicas"] == 1


def test_what_is_idle_is_culled_by_each_types_own_settings() -> None:
    for type_ in ("jupyter", "desktop"):
        said = json.loads(made(type_)["ConfigMap work"]["data"]["jupyter_server_config.json"])
        kernels = said["MappingKernelManager"]
        assert (kernels["cull_idle_timeout"], kernels["cull_interval"], kernels["cull_connected"]) == (3600, 600, True)
        assert said["TerminalManager"] == {"cull_inactive_timeout": 3600, "cull_interval": 600}
        off = made(type_, cull={"enabled": False})["ConfigMap work"]["data"]["jupyter_server_config.json"]
        assert json.loads(off) == {}
    sessions = [made("rstudio", cull=c)["ConfigMap work"]["data"]["rsession.conf"].strip() for c in (
        {}, {"timeout": 300}, {"timeout": 7200}, {"enabled": False})]  # fmt: skip
    assert sessions == [f"session-timeout-minutes={n}" for n in (60, 5, 120, 0)]


def test_other_settings_are_another_pod() -> None:
    def checksum(**spec: Any) -> str:
        said = made("rstudio", **spec)["StatefulSet work"]["spec"]["template"]["metadata"]["annotations"]
        return str(said["research.moc/config-checksum"])

    assert checksum() == checksum(cull={"timeout": 3600})
    assert checksum() != checksum(cull={"timeout": 7200})


def test_sid_is_the_one_way_in_by_default() -> None:
    (rule,) = made("jupyter")["NetworkPolicy work"]["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "sid"}}}]
    assert not {"Ingress work", "Route work"} & made("jupyter").keys()


def test_an_ingress_has_its_host_its_certificate_and_its_way_in() -> None:
    access = {"via": "ingress", "host": "ada.sid.example.org", "ingressClass": "nginx", "issuer": "letsencrypt"}
    objects = made("rstudio", access=access)
    ingress = objects["Ingress work"]
    assert ingress["spec"]["tls"] == [{"hosts": ["ada.sid.example.org"], "secretName": "work-tls"}]
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    assert backend == {"service": {"name": "work", "port": {"name": "web"}}}
    (rule,) = objects["NetworkPolicy work"]["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    bare = made("rstudio", access={"via": "ingress", "host": "ada.sid.example.org"})["Ingress work"]
    assert bare["spec"]["tls"] == [{"hosts": ["ada.sid.example.org"]}]


def test_a_route_ends_tls_and_lets_the_routers_in() -> None:
    objects = made("desktop", access={"via": "route", "host": "ada.apps.example.org"})
    assert objects["Route work"]["spec"]["host"] == "ada.apps.example.org"
    assert objects["Route work"]["spec"]["tls"]["insecureEdgeTerminationPolicy"] == "Redirect"
    (rule,) = objects["NetworkPolicy work"]["spec"]["ingress"]
    assert "network.openshift.io/policy-group" in str(rule["from"])
    assert "host" not in made("desktop", access={"via": "route"})["Route work"]["spec"]


@every_type
def test_an_image_that_needs_root_gets_baseline_and_so_does_its_owners_namespace(type_: str) -> None:
    objects = made(type_, pod_security="baseline", image="registry.example.org/own:1")
    assert "runAsNonRoot" not in pod(objects)["securityContext"]
    assert "securityContext" not in pod(objects)["containers"][0]
    envs = [wanted(type_), wanted(type_, name="other", pod_security="baseline")]
    labels = by_name(shared("ada", envs, below(OWNER)))["Namespace env-ada"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_names_that_yaml_would_take_for_something_else_stay_names() -> None:
    objects = made("jupyter", owner="null")
    assert objects["StatefulSet work"]["metadata"]["labels"]["research.moc/owner"] == "null"


# Packages: the installer is run for real, with programs in its way that only say what they were told.

LISTS: dict[str, dict[str, tuple[str, ...]]] = {
    "jupyter": {"pip": ("numpy==2.1.0", "a<2"), "conda": ("gdal",)},
    "rstudio": {"r": ("dplyr", "data.table")},
}


@pytest.mark.parametrize("type_", LISTS)
def test_packages_are_installed_by_the_environments_own_image_and_user(type_: str) -> None:
    objects = made(type_, packages=LISTS[type_])
    (main,) = pod(objects)["containers"]
    for init in pod(objects)["initContainers"]:
        manager = init["name"].removeprefix("packages-")
        assert init["image"] == main["image"]
        assert init["securityContext"] == main["securityContext"]
        assert init["resources"] == main["resources"]
        assert tuple(init["command"][4:]) == LISTS[type_][manager]


def installer(tmp_path: Path, type_: str, packages: Mapping[str, tuple[str, ...]], fails: str = "") -> list[str]:
    """Start what an environment would start; returns what the programs were told."""
    objects = made(type_, packages=packages)
    script = tmp_path / "install"
    script.write_text(objects["ConfigMap packages.environment"]["data"]["install"])
    bin_, log = tmp_path / "bin", tmp_path / "log"
    bin_.mkdir(exist_ok=True)
    log.write_text("")
    for name in ("python3", "mamba", "Rscript"):
        end = (
            "exit 3" if name == fails else 'case "$*" in *--prefix*) mkdir -p "$5/bin"; cp "$0" "$5/bin/python";; esac'
        )
        (bin_ / name).write_text(f'#!/bin/sh\nfor a in "${{0##*/}}" "$@"; do printf "%s|" "$a"; done >> {log}\n{end}\n')
        (bin_ / name).chmod(0o755)
    env = {"PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(tmp_path / "home")}
    for init in pod(objects)["initContainers"]:
        argv = ["/bin/bash", str(script), *init["command"][2:]]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            return ["failed"]
    return log.read_text().split("|")


def test_a_list_is_installed_once_and_again_when_it_changes(tmp_path: Path) -> None:
    first = installer(tmp_path, "jupyter", LISTS["jupyter"])
    assert first[: first.index("mamba")] == [
        *("python3", "-m", "pip", "install", "--user", "--no-input", "--disable-pip-version-check", "--"),
        *LISTS["jupyter"]["pip"],
    ]
    assert {"create", "gdal", "ipykernel"} <= set(first)
    assert installer(tmp_path, "jupyter", LISTS["jupyter"]) == [""]
    assert "pandas" in installer(tmp_path, "jupyter", {**LISTS["jupyter"], "pip": ("pandas",)})


def test_an_installer_that_fails_is_tried_again(tmp_path: Path) -> None:
    assert installer(tmp_path, "rstudio", LISTS["rstudio"], fails="Rscript") == ["failed"]
    told = installer(tmp_path, "rstudio", LISTS["rstudio"])
    assert told[-3:] == ["dplyr", "data.table", ""]


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


def test_the_annotations_of_a_secret_hold_no_token() -> None:
    secret = made("jupyter")["Secret work"]
    assert base64.b64encode(b"token").decode() not in json.dumps(secret)
