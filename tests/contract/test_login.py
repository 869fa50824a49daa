"""One login for the look and for Terraform: the region and the address that clouds.yaml means, on a real cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.openstack import OpenStackCloud
from reconciler.adapters.terraform import Terraform
from reconciler.errors import Invalid
from reconciler.model.resource import Known
from reconciler.ports import Workspace
from reconciler.process import Redactor
from reconciler.progress import QuietProgress
from reconciler.sandbox.openstack import Cloud
from reconciler.toolchain import Toolbox

pytestmark = pytest.mark.live

MODULE = """
terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}
variable "cloud" { type = string }
provider "openstack" { cloud = var.cloud }
data "openstack_networking_network_v2" "public" { name = "public" }
resource "terraform_data" "seen" { input = data.openstack_networking_network_v2.public.region }
"""


def clouds(sandbox: Cloud, folder: Path, change: Any) -> Path:
    """The sandbox's clouds.yaml, said otherwise."""
    document = yaml.safe_load(Path(sandbox.clouds_yaml).read_text())
    change(document["clouds"]["sandbox"])
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def in_a_region(entry: dict[str, Any]) -> None:
    """The address is the region's own; and a region that the cloud does not have comes first."""
    values = {"auth": {"auth_url": entry["auth"].pop("auth_url")}}
    entry.pop("region_name", None)
    entry["region_name"] = "RegionOne"
    entry["regions"] = ["other", {"name": "RegionOne", "values": values}]


def two_regions(entry: dict[str, Any]) -> None:
    entry.pop("region_name", None)
    entry["regions"] = ["other", "RegionOne"]


def no_region(entry: dict[str, Any]) -> None:
    entry.pop("region_name", None)


@pytest.mark.parametrize("change", [in_a_region, no_region])
def test_the_look_and_terraform_use_one_login(
    sandbox_cloud: Cloud, toolbox: Toolbox, tmp_path: Path, change: Any
) -> None:
    file = clouds(sandbox_cloud, tmp_path, change)
    cloud = OpenStackCloud("sandbox", clouds_file=file, timeout=30)
    assert isinstance(cloud.observe([]).networks, Known)
    assert cloud.login().region == "RegionOne"
    place = Workspace(
        tmp_path / "work", {"main.tf": MODULE.encode()}, {"cloud": "sandbox"}, {}, {}, frozenset(), login=cloud.login()
    )
    (tmp_path / "work").mkdir()
    (tmp_path / "work/secure.yaml").write_text("clouds: {sandbox: {auth: {auth_url: 'http://127.0.0.1:1/v3'}}}\n")
    Terraform(toolbox.ensure("tofu")["tofu"].path, toolbox.cli_config(), 300, Redactor()).apply(place, QuietProgress())
    state = json.loads((tmp_path / "work/terraform.tfstate").read_text())
    (seen,) = (r for r in state["resources"] if r["type"] == "terraform_data")
    assert seen["instances"][0]["attributes"]["input"]["value"] == "RegionOne"
    secret = cloud.login().auth["application_credential_secret"]
    left = [f for f in (tmp_path / "work").rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
    assert left == []


def test_several_regions_are_refused_by_name(sandbox_cloud: Cloud, tmp_path: Path) -> None:
    cloud = OpenStackCloud("sandbox", clouds_file=clouds(sandbox_cloud, tmp_path, two_regions), timeout=30)
    with pytest.raises(Invalid, match=r"several regions in clouds\.yaml: other, RegionOne"):
        cloud.observe([])
