"""What every kind is built from: strict frozen objects, and texts with a form of their own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

API_VERSION = "research.moc/v1alpha1"
ApiVersion: TypeAlias = Literal["research.moc/v1alpha1"]
YamlPath: TypeAlias = tuple[str | int, ...]

# RFC 1123 label; 40 characters leave room for "-control-plane" within Nova's and Kubernetes' 63
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
# What the cloud's own people named: anything readable, without the control characters that break a report.
CloudName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=255)]
Port = Annotated[int, Field(ge=1, le=65535)]


class At(ValueError):
    """A rule over several fields was broken; `path` is where a person should look, in YAML's own keys."""

    def __init__(self, path: YamlPath, message: str) -> None:
        super().__init__(message)
        self.path = path


def _cidr(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=True))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network in CIDR notation ({error})") from None


def _of_version(version: Literal[4, 6]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if ipaddress.ip_network(text).version != version:
            raise ValueError(f"{text!r} is of IPv{10 - version}, and this is for IPv{version}")
        return text

    return check


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _public_key(text: str) -> str:
    if not re.match(r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) [A-Za-z0-9+/=]{40,}( .*)?$", text.strip()):
        raise ValueError("not an OpenSSH public key, such as the content of ~/.ssh/id_ed25519.pub")
    return " ".join(text.split()[:2])


Cidr = Annotated[str, AfterValidator(_cidr)]
Cidr4 = Annotated[Cidr, AfterValidator(_of_version(4))]
Cidr6 = Annotated[Cidr, AfterValidator(_of_version(6))]
Address = Annotated[str, AfterValidator(_address)]
Address4 = Annotated[Address, AfterValidator(_of_version(4))]
Address6 = Annotated[Address, AfterValidator(_of_version(6))]
PublicKey = Annotated[str, AfterValidator(_public_key)]


class Model(BaseModel):
    """Keys are camelCase in YAML; unknown keys are errors, values are never coerced, objects never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class Metadata(Model):
    """What an object is called."""

    name: Name


class Kind(Model):
    """A whole document: what all kinds have in common."""

    api_version: ApiVersion
    metadata: Metadata

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def title(self) -> str:
        """What tells it from the others of its kind in a cluster."""
        return self.name


def distinct(path: YamlPath, names: Sequence[str], key: str = "name") -> None:
    """Raise At for the first entry of the list at `path` whose name an earlier one has."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise At((*path, index, *([key] if key else [])), f"{name!r} is already the name of another entry")
