"""The desired state as people write it: Cluster, Environment and Application, frozen and validated."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

API_VERSION = "research.moc/v1alpha1"

_HOST_NAME = 63
# RFC 1123 label; 40 characters leave room for "-control-plane" within Nova's and Kubernetes' 63
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
Port = Annotated[int, Field(ge=1, le=65535)]


def _cidr(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=True))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network in CIDR notation ({error})") from None


def _public_key(text: str) -> str:
    if not re.match(r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) [A-Za-z0-9+/=]{40,}( .*)?$", text.strip()):
        raise ValueError("not an OpenSSH public key, such as the content of ~/.ssh/id_ed25519.pub")
    return " ".join(text.split()[:2])


Cidr = Annotated[str, AfterValidator(_cidr)]
PublicKey = Annotated[str, AfterValidator(_public_key)]


class Model(BaseModel):
    """Keys are camelCase in YAML; unknown keys are errors, values are never coerced, objects never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class Metadata(Model):
    name: Name


class Taint(Model):
    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}"


class Network(Model):
    """The cluster's own network. `externalNetwork` is where floating IPs come from."""

    cidr: Cidr
    external_network: str
    dns_servers: tuple[str, ...] = ()


class Machines(Model):
    """What control plane and node groups have in common."""

    flavor: str
    image: str | None = None
    floating_ips: bool = False
    availability_zone: str | None = None


class ControlPlane(Machines):
    count: Literal[1, 3, 5] = 1


class NodeGroup(Machines):
    name: Name
    count: Annotated[int, Field(ge=0, le=1000)]
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


class Ssh(Model):
    """How Ansible logs in. The private key is never in git: the settings say where it lies."""

    user: str = "ubuntu"
    port: Port = 22
    public_key: PublicKey


class Access(Model):
    """Who may reach what, as source networks. Nothing listed means nobody from outside."""

    ssh: tuple[Cidr, ...] = ()
    api: tuple[Cidr, ...] = ()
    node_ports: tuple[Cidr, ...] = ()


class Kubernetes(Model):
    """`variables` go to Kubespray as they are."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]+\.[0-9]+$")]
    network_plugin: str = "calico"
    pod_cidr: Cidr = "10.233.64.0/18"
    service_cidr: Cidr = "10.233.0.0/18"
    variables: dict[str, object] = Field(default_factory=dict)


class Workload(Model):
    """A folder of manifests, applied together. `path` is relative to the repository's root."""

    name: Name
    path: str
    namespace: Name = "default"


class Guards(Model):
    """Limits one cycle may not pass without approval."""

    max_deletions: Annotated[int, Field(ge=0)] = 5
    max_deletion_percent: Annotated[int, Field(ge=0, le=100)] = 30


class ClusterSpec(Model):
    cloud: str
    image: str
    ssh: Ssh
    network: Network
    control_plane: ControlPlane
    node_groups: tuple[NodeGroup, ...] = ()
    access: Access = Access()
    kubernetes: Kubernetes
    workloads: tuple[Workload, ...] = ()
    guards: Guards = Guards()
    suspend: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _disjoint(self)
        _distinct("nodeGroups", [g.name for g in self.node_groups])
        _distinct("workloads", [w.name for w in self.workloads])
        return self


class Cluster(Model):
    """A research cluster: VMs and networks on OpenStack, Kubernetes on them, workloads on that."""

    api_version: Literal["research.moc/v1alpha1"]
    kind: Literal["Cluster"]
    metadata: Metadata
    spec: ClusterSpec

    @model_validator(mode="after")
    def _short(self) -> Self:
        for index, group in enumerate(self.spec.node_groups):
            longest = f"{self.name}-{group.name}-{group.count}"
            if len(longest) > _HOST_NAME:
                message = f"{longest!r} would be longer than {_HOST_NAME} characters, the limit of a host's name"
                raise At(("spec", "nodeGroups", index, "name"), message)
        return self

    @property
    def name(self) -> str:
        return self.metadata.name


class EnvironmentSpec(Model):
    """One researcher's environment. `image` overrides the type's own; `expires` is a date, YYYY-MM-DD."""

    type: Literal["jupyter", "rstudio", "desktop"]
    owner: Name
    image: str | None = None
    cpu: Quantity = "1"
    memory: Quantity = "2Gi"
    volume: Quantity = "10Gi"
    expires: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class Environment(Model):
    api_version: Literal["research.moc/v1alpha1"]
    kind: Literal["Environment"]
    metadata: Metadata
    spec: EnvironmentSpec

    @property
    def name(self) -> str:
        return self.metadata.name


class ApplicationSpec(Model):
    """A container image on OpenShift. `target` names an OpenShift of the settings; values of `env` may refer to
    other components' outputs: `${cluster.name}`, `${cluster.api.endpoint}`, `${application.NAME.url}`."""

    target: str
    namespace: Name
    image: str
    port: Port = 8080
    replicas: Annotated[int, Field(ge=0, le=100)] = 1
    host: str | None = None
    env: dict[str, str] = Field(default_factory=dict)


class Application(Model):
    api_version: Literal["research.moc/v1alpha1"]
    kind: Literal["Application"]
    metadata: Metadata
    spec: ApplicationSpec

    @property
    def name(self) -> str:
        return self.metadata.name


class At(ValueError):
    """A rule over several fields was broken; `path` is where a person should look, in YAML's own keys."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def _disjoint(spec: ClusterSpec) -> None:
    networks: list[tuple[tuple[str | int, ...], str]] = [
        (("network", "cidr"), spec.network.cidr),
        (("kubernetes", "podCidr"), spec.kubernetes.pod_cidr),
        (("kubernetes", "serviceCidr"), spec.kubernetes.service_cidr),
    ]
    for i, (path, cidr) in enumerate(networks):
        for other_path, other in networks[i + 1 :]:
            if ipaddress.ip_network(cidr).overlaps(ipaddress.ip_network(other)):
                other_name = ".".join(str(p) for p in other_path)
                raise At(path, f"{cidr} overlaps with {other} ({other_name}); the three networks must be apart")


def _distinct(path: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise At((path, index, "name"), f"{name!r} is already the name of another entry")
    if path == "nodeGroups" and "cp" in names:
        raise At((path, names.index("cp"), "name"), "'cp' is the control plane's own; choose another name")
