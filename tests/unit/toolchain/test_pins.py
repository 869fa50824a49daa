"""pins.yaml against the go.mod files beside it, and against what the programs really say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.progress import QuietProgress
from reconciler.toolchain import Toolbox
from reconciler.toolchain.pins import Tool, load

PINS = load()
SAID = {
    "helm": "v4.2.4+g8f1c2d3\n",
    "actionlint": "1.7.12\ninstalled by building from source\nbuilt with go1.26.8 compiler for linux/amd64\n",
    "age-keygen": "v1.3.2\n",
    "etcd": "etcd Version: 3.6.14\nGit SHA: Not provided (use ./build instead of go build)\nGo Version: go1.26.8\n",
    "etcdctl": "etcdctl version: 3.6.14\nAPI version: 3.6\n",
    "etcdutl": "etcdutl version: 3.6.14\nAPI version: 3.6\n",
    "gitleaks": "8.30.1\n",
    "kube-apiserver": "Kubernetes v1.36.3\n",
    "kube-controller-manager": "Kubernetes v1.36.3\n",
    "kube-scheduler": "Kubernetes v1.36.3\n",
    "kubectl": "Client Version: v1.36.3\nKustomize Version: v5.8.0\n",
    "kwok": "kwok version v0.8.0 go1.26.8 (linux/amd64)\n",
    "sops": "sops 3.13.3\n",
    "tofu": "OpenTofu v1.12.6\non linux_amd64\n",
}
EVERY = pytest.mark.parametrize("tool", PINS.tools.values(), ids=list(PINS.tools))


@EVERY
def test_the_module_builds_this_version_of_this_package(tool: Tool) -> None:
    text = (tool.module.folder / "go.mod").read_text()
    assert re.search(rf"^(?:tool )?\s*{re.escape(tool.package)}$", text, re.MULTILINE), "no tool line"
    required = dict(re.findall(r"^(?:require )?\s*(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))
    module = max((path for path in required if tool.package.startswith(path)), key=len)
    assert required[module] == f"v{tool.version}"
    sums = (tool.module.folder / "go.sum").read_text()
    assert f"{module} v{tool.version} h1:" in sums


@EVERY
def test_the_version_is_read_from_what_the_program_says(tool: Tool) -> None:
    if tool.provider:
        assert tool.program.endswith(f"_v{tool.version}")
    elif tool.ask:
        assert tool.read_version(SAID[tool.name]) == tool.version
    else:
        assert tool.on_demand, "nobody could tell one on PATH from another version"


@EVERY
def test_downloads_are_of_this_version_over_https_and_have_a_checksum(tool: Tool) -> None:
    for place, download in tool.downloads.items():
        arch = place.partition("/")[2]
        assert download.url.startswith("https://")
        assert f"v{tool.version}/" in download.url
        assert arch in download.url
        assert re.fullmatch("[0-9a-f]{64}", download.sha256)


def test_what_the_linker_is_told_names_the_pinned_version() -> None:
    for tool in PINS.tools.values():
        for version in re.findall(r"\d+\.\d+\.\d+", tool.module.ldflags):
            assert version == tool.version


def test_terraform_is_understood_too_when_the_settings_name_it() -> None:
    assert PINS["tofu"].read_version("Terraform v1.11.4\non linux_amd64\n") == "1.11.4"


def test_an_unknown_tool_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Invalid) as caught:
        PINS["helmfile"]
    assert "kubectl" in (caught.value.hint or "")


def test_what_only_some_need_is_got_when_it_is_named(tmp_path: Path) -> None:
    toolbox = Toolbox(tmp_path, progress=QuietProgress())
    assert {name for name, tool in PINS.tools.items() if tool.on_demand} == {
        "sops",
        "age-keygen",
        "helm",
        "gitleaks",
        "terraform-provider-openstack-1",
    }
    assert not {"sops", "age-keygen"} & set(toolbox.names)
    assert "tofu" in toolbox.names
