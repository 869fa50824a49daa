"""What a new cloud has in it: what an operator would have set up for a research project, and its credential."""

from __future__ import annotations

import datetime
import secrets
import time
from pathlib import Path
from typing import Any

import yaml

from ...errors import Transient
from .layout import write_private

CLOUD = "sandbox"
ADMIN_CLOUD = "sandbox-admin"
PROJECT = "research"
_CREDENTIAL = "reconciler"
_REGION = "RegionOne"
_FLAVORS = {
    "m1.small": (1, 2048, 20, {}),
    "m1.medium": (2, 4096, 40, {}),
    "m1.large": (4, 8192, 80, {}),
    "gpu.small": (2, 4096, 40, {"resources:CUSTOM_GPU": "1"}),
}
_IMAGES = ("debian-12", "ubuntu-24.04")
_EXPIRY_SECONDS = 2.0


def seed(root: Path, auth_url: str) -> None:
    """Make what is missing, and last of all clouds.yaml: a cloud that has one is seeded.

    Raises Transient when a service refuses or does not answer.
    """
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    cloud = _connect(root / "admin-clouds.yaml", ADMIN_CLOUD)
    try:
        _public_network(cloud)
        _flavors(cloud)
        _images(cloud)
        credential = _project_credential(cloud, auth_url)
    except (ClientException, SDKException) as error:
        raise Transient(f"can't set up the research project: {error}", hint=f"the logs are in {root}/log") from error
    write_private(root / "clouds.yaml", _application_credential_file(auth_url, credential))


def admin_file(auth_url: str, password: str) -> str:
    """The content of the administrator's clouds.yaml."""
    auth = _password_auth(auth_url, "admin", "admin", password)
    return yaml.safe_dump({"clouds": {ADMIN_CLOUD: {"auth": auth, "region_name": _REGION}}}, sort_keys=False)


def make_expired_credential(root: Path) -> Path:
    """Return a clouds.yaml (cloud `sandbox`) whose application credential the cloud of `root` no longer accepts.

    Raises Transient when it is still accepted 10 s after its end.
    """
    from keystoneauth1.exceptions import Unauthorized

    cloud = _connect(root / "clouds.yaml", CLOUD)
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=_EXPIRY_SECONDS)
    made = cloud.identity.create_application_credential(
        cloud.current_user_id,
        name=f"expires-{secrets.token_hex(4)}",
        expires_at=end.strftime("%Y-%m-%dT%H:%M:%S.%f"),
    )
    path = root / "expired-clouds.yaml"
    write_private(path, _application_credential_file(cloud.config.auth["auth_url"], made))
    deadline = time.monotonic() + _EXPIRY_SECONDS + 10
    while time.monotonic() < deadline:
        try:
            _connect(path, CLOUD).session.get_token()
        except Unauthorized:
            return path
        time.sleep(0.2)
    raise Transient("the credential does not expire", hint="compare the clocks")


def _public_network(cloud: Any) -> None:
    network = cloud.network.find_network("public") or cloud.network.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="public",
    )
    if not network.subnet_ids:
        cloud.network.create_subnet(
            name="public", network_id=network.id, ip_version=4, cidr="203.0.113.0/24", is_dhcp_enabled=False
        )


def _flavors(cloud: Any) -> None:
    there = {flavor.name for flavor in cloud.compute.flavors()}
    for name, (vcpus, ram, disk, extra) in _FLAVORS.items():
        if name not in there:
            made = cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
            if extra:
                cloud.compute.create_flavor_extra_specs(made, extra)


def _images(cloud: Any) -> None:
    there = {image.name for image in cloud.image.images(status="active")}
    for name in _IMAGES:
        if name not in there:
            cloud.image.create_image(
                name, data=f"{name}\n".encode(), disk_format="raw", container_format="bare", visibility="public"
            )


def _project_credential(cloud: Any, auth_url: str) -> Any:
    """The research project's application credential, made by its user. Nobody keeps the user's password."""
    identity, password = cloud.identity, secrets.token_urlsafe(24)
    project = identity.find_project(PROJECT) or identity.create_project(name=PROJECT, domain_id="default")
    left = identity.find_user(PROJECT)
    if left is not None:  # by a seeding that was interrupted. A new password would revoke this second's new tokens
        identity.delete_user(left)
    user = identity.create_user(name=PROJECT, domain_id="default", default_project_id=project.id, password=password)
    identity.assign_project_role_to_user(project, user, identity.find_role("member"))
    own = _connect_as(_password_auth(auth_url, PROJECT, PROJECT, password))
    return own.identity.create_application_credential(user.id, name=_CREDENTIAL, unrestricted=True)


def _password_auth(auth_url: str, user: str, project: str, password: str) -> dict[str, str]:
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    return {"auth_url": auth_url, "username": user, "password": password, "project_name": project, **domains}


def _application_credential_file(auth_url: str, credential: Any) -> str:
    auth = {
        "auth_url": auth_url,
        "application_credential_id": credential.id,
        "application_credential_secret": credential.secret,
    }
    entry = {"auth_type": "v3applicationcredential", "auth": auth, "region_name": _REGION}
    return yaml.safe_dump({"clouds": {CLOUD: entry}}, sort_keys=False)


def _connect(clouds_yaml: Path, name: str) -> Any:
    return _connection(config_files=[str(clouds_yaml)], cloud=name)


def _connect_as(auth: dict[str, str]) -> Any:
    return _connection(config_files=[], auth=auth, region_name=_REGION)


def _connection(config_files: list[str], **which: Any) -> Any:
    """Nothing of the user's own configuration gets in."""
    from openstack.config.loader import OpenStackConfig
    from openstack.connection import Connection

    loader = OpenStackConfig(config_files=config_files, secure_files=[], vendor_files=[], load_envvars=False)
    return Connection(config=loader.get_one(**which))
