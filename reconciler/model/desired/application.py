"""The Application kind: what runs on OpenShift beside the clusters, such as Sid's front end and middleware."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import At, Kind, Model, Name, Port
from .environment import Image

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
# A ConfigMap's key, and what Kubernetes lets a variable be called: spring.datasource.url is one.
SettingName = Annotated[str, StringConstraints(pattern=r"^\.?[-_a-zA-Z][-._a-zA-Z0-9]*$", max_length=253)]
HostName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253),
]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
_TAG = re.compile(r"(?P<name>[^@]+):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})")


class SecretSource(Model):
    """Where the value of a secret is from: one of `generate` (made once, on the OpenShift, and in no repository),
    `file` (a SOPS file of this repository; `key` is one of its keys) and `secret` (a Secret that somebody else keeps in
    the application's namespace; `key` is one of its keys)."""

    generate: Literal[True] | None = None
    file: str | None = None
    secret: SecretName | None = None
    key: SecretKey | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [name for name in ("generate", "file", "secret") if getattr(self, name)]
        if len(named) != 1:
            raise At((), "give one of generate, file and secret")
        if self.generate and self.key:
            raise At(("key",), "what is generated has no key")
        if not self.generate and not self.key:
            raise At((named[0],), f"say which key of the {named[0]}: key")
        return self


class Amounts(Model):
    """CPU and memory of one pod; what is not said is not limited."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Resources(Model):
    """What the scheduler sets aside for one pod, and what it may not go beyond."""

    requests: Amounts = Amounts(cpu="50m", memory="128Mi")
    limits: Amounts = Amounts(memory="512Mi")


class Autoscaling(Model):
    """As many pods as the load asks for. `cpu` is the share of the requested CPU to aim at, in percent."""

    min: Annotated[int, Field(ge=1, le=100)]
    max: Annotated[int, Field(ge=1, le=100)]
    cpu: Annotated[int, Field(ge=1, le=100)] = 70

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.max < self.min:
            raise At(("max",), f"max {self.max} is less than min {self.min}")
        return self


class Tls(Model):
    """How the route is encrypted. `certificate` names a Secret with a certificate; without one the router has its own.
    `plain` says what becomes of requests over plain HTTP."""

    termination: Literal["edge", "reencrypt", "passthrough"] = "edge"
    plain: Literal["Redirect", "Allow", "None"] = "Redirect"
    certificate: SecretName | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.termination == "passthrough" and self.certificate:
            raise At(("certificate",), "with passthrough the pods show their own certificate")
        if self.termination == "passthrough" and self.plain == "Allow":
            raise At(("plain",), "with passthrough plain HTTP is redirected or refused")
        return self


class ApplicationSpec(Model):
    """A container image on OpenShift. `target` names an OpenShift of the settings.

    Values of `env` may refer to what other components are known by: `${cluster.name}`, `${cluster.api.endpoint}`,
    `${cluster.services.NAMESPACE.NAME.address}` (and `.port`), `${cluster.ingresses.NAMESPACE.NAME.address}` (and
    `.host`), `${application.NAME.url}` (and `.host`, `.address`); `cluster.` means this cluster, `cluster.OTHER.`
    another one of the repository. As a whole value `${application.NAME.secrets.KEY}` and
    `${cluster.secrets.NAMESPACE.NAME.KEY}` are secrets.

    `health` is a path that answers when the application works; without one, its port must be open. `host` left out is
    the router's to choose. With `imageStream` OpenShift imports the image's tag and rolls out what it becomes."""

    target: str
    namespace: Name
    image: Image
    port: Port = 8080
    replicas: Annotated[int, Field(ge=0, le=100)] = 1
    autoscaling: Autoscaling | None = None
    host: HostName | None = None
    tls: Tls = Tls()
    env: dict[SettingName, str] = Field(default_factory=dict)
    secrets: dict[EnvName, SecretSource] = Field(default_factory=dict)
    health: Annotated[str, StringConstraints(pattern=r"^/[^\s]*$")] | None = None
    resources: Resources = Resources()
    image_stream: bool = False
    pull_secrets: tuple[SecretName, ...] = ()
    network_policy: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if both := sorted(self.env.keys() & self.secrets.keys()):
            raise At(("secrets", both[0]), f"{both[0]!r} is in env as well")
        names: dict[str, str] = {}
        for name in (name for name, source in self.secrets.items() if source.generate):
            if (before := names.setdefault(generated_name("", name), name)) != name:
                raise At(("secrets", name), f"{name!r} and {before!r} would be one Secret: they differ in case only")
        if self.image_stream and self.image_tag is None:
            raise At(("imageStream",), "an image stream follows a tag, and image names none (such as sid/web:1.2)")
        return self

    @property
    def image_tag(self) -> str | None:
        """The tag of the image; None where there is none, or a digest."""
        found = _TAG.fullmatch(self.image)
        return found["tag"] if found else None

    @property
    def fewest(self) -> int:
        """How many pods there are at least."""
        return self.autoscaling.min if self.autoscaling else self.replicas


class Application(Kind):
    """A service on OpenShift, deployed through Terraform."""

    kind: Literal["Application"]
    spec: ApplicationSpec


def generated_name(application: str, variable: str) -> str:
    """The Secret that keeps a generated value."""
    return f"{application}-{variable.strip('_').replace('_', '-').lower() or 'secret'}"
