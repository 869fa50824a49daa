"""The Environment kind: what one researcher works in, for how long, and how it is reached."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from .base import At, Kind, Model, Name

# Kubernetes' suffixes (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/)
_DECIMAL = {suffix: Decimal(10**power) for suffix, power in (("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12))}
_BINARY = {suffix: Decimal(2**power) for suffix, power in (("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40))}
_FACTORS = {**_DECIMAL, **_BINARY, "m": Decimal("0.001")}
_IMAGE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_TAG, _DIGEST = re.compile(r"\w[\w.-]{0,127}", re.ASCII), re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def quantity(text: str) -> Decimal:
    """What a quantity comes to, in cores or bytes. Raises ValueError for what is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?", text)
    if not found or len(text) > 20:
        raise ValueError(f"{text[:60]!r} is no quantity, such as 500m, 2 or 4Gi")
    return Decimal(found[1]) * _FACTORS[found[2] or ""]


def _cpu(text: str) -> str:
    if not re.fullmatch(r"[0-9.]+m?", text):
        raise ValueError(f"{text[:60]!r} is no number of cores, such as 500m or 2")
    if not Decimal("0.01") <= quantity(text) <= 256:
        raise ValueError(f"{text[:60]!r} makes no sense for one environment: between 10m and 256 cores")
    return text


def _bytes(text: str, least: str, most: str) -> str:
    if not re.fullmatch(r"[0-9.]+(k|Ki|M|Mi|G|Gi|T|Ti)", text):
        raise ValueError(f"{text[:60]!r} is no size with its unit, such as 512Mi or 4Gi")
    if not quantity(least) <= quantity(text) <= quantity(most):
        raise ValueError(f"{text[:60]!r} makes no sense for one environment: between {least} and {most}")
    return text


def _memory(text: str) -> str:
    return _bytes(text, "64Mi", "16Ti")


def _size(text: str) -> str:
    return _bytes(text, "64Mi", "500Ti")


def _date(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date of the calendar") from None
    return text


def _image(text: str) -> str:
    """A reference as registries know it (the grammar of github.com/distribution/reference)."""
    rest, at, digest = text.partition("@")
    name, colon, tag = rest.rpartition(":") if ":" in rest.rpartition("/")[2] else (rest, "", "")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError(f"{text[:200]!r} has a digest that is not sha256: and 64 hexadecimal digits")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(f"{text[:200]!r} has a tag that is none: letters, digits, dots, hyphens, 128 at most")
    if len(name) > 255 or not _IMAGE.fullmatch(name):
        message = "is no image, such as quay.io/jupyter/scipy-notebook:2026-09-01; its path is in lower case"
        raise ValueError(f"{text[:200]!r} {message}")
    return text


def _host(text: str) -> str:
    labels = text.split(".")
    if len(text) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text[:260]!r} is no host name, such as ada.sid.example.org (63 characters a part)")
    return text


def pinned(image: str) -> bool:
    """Is the image the same for ever? A tag can be moved."""
    return "@sha256:" in image


Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_date)]
# The patterns are for editors; what is wrong is said in words.
_BYTES = Field(json_schema_extra={"pattern": r"^[0-9]+(\.[0-9]+)?(k|Ki|M|Mi|G|Gi|T|Ti)$"})
Cpu = Annotated[str, AfterValidator(_cpu), Field(json_schema_extra={"pattern": r"^[0-9]+(\.[0-9]+)?m?$"})]
Memory = Annotated[str, AfterValidator(_memory), _BYTES]
Size = Annotated[str, AfterValidator(_size), _BYTES]
Image = Annotated[str, AfterValidator(_image), Field(json_schema_extra={"pattern": r"^[A-Za-z0-9][\w./:@-]*$"})]
Host = Annotated[str, AfterValidator(_host), Field(json_schema_extra={"pattern": r"^[a-z0-9][a-z0-9.-]+$"})]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63)]
# kubernetes.io's extended resources: nvidia.com/gpu, amd.com/gpu, nvidia.com/mig-1g.5gb
ResourceName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?$")
]

# Names and versions, and nothing else: an address or an option would let a list do what an image review is for.
_VERSIONS = r"(==|>=|<=|!=|~=|<|>)[A-Za-z0-9.*+!_-]+"
PipPackage = Annotated[
    str,
    StringConstraints(
        pattern=rf"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9,._-]+\])?({_VERSIONS}(,{_VERSIONS})*)?$",
        max_length=200,
    ),
]
CondaPackage = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9_.-]+::)?[A-Za-z0-9_][A-Za-z0-9_.-]*((=|==|>=|<=|!=|<|>)[A-Za-z0-9.*+!_=-]+)?$",
        max_length=200,
    ),
]
RPackage = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]$", max_length=100)]
_MOST = 200


class Packages(Model):
    """What is installed into the environment's volume before it starts, as the researcher and without root. System
    packages (`apt`) need root, so they belong into an image."""

    pip: Annotated[tuple[PipPackage, ...], Field(max_length=_MOST)] = ()
    conda: Annotated[tuple[CondaPackage, ...], Field(max_length=_MOST)] = ()
    r: Annotated[tuple[RPackage, ...], Field(max_length=_MOST)] = ()
    apt: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _no_root(self) -> Self:
        if self.apt:
            message = "system packages need root, which no environment has: put them into an image of your own"
            raise At(("apt",), f"{message} and name that as spec.image (docs/knowledge.md shows how)")
        return self


class Cull(Model):
    """What is idle for `timeout` seconds is ended; looked at `every` so many seconds. z2jh's own figures. While it is
    enabled, whether an environment runs is left to who opens and stops it; else git keeps it running."""

    enabled: bool = True
    timeout: Annotated[int, Field(ge=300, le=30 * 86400)] = 3600
    every: Annotated[int, Field(ge=60, le=86400)] = 600


class EnvironmentAccess(Model):
    """How the environment is reached: through Sid's back end, or at a `host` of its own by an Ingress or an OpenShift
    Route, with TLS always. `tlsSecret` or cert-manager's `issuer` bring the Ingress its certificate, else it is the
    controller's own; `controllerNamespace` is where the Ingress controller runs."""

    via: Literal["backend", "ingress", "route"] = "backend"
    host: Host | None = None
    ingress_class: ObjectName | None = None
    tls_secret: ObjectName | None = None
    issuer: ObjectName | None = None
    controller_namespace: ObjectName = "ingress-nginx"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.via == "ingress" and self.host is None:
            raise At((), "key 'host' is missing: an Ingress without one answers for every host")
        if self.via == "backend" and self.host is not None:
            raise At(("host",), "the back end has no host for it: say via: ingress or via: route")
        for name in sorted({"ingress_class", "tls_secret", "issuer", "controller_namespace"} & self.model_fields_set):
            if self.via != "ingress":
                key = str(type(self).model_fields[name].alias)
                raise At((key,), f"{key} is an Ingress's: say via: ingress, or leave it out")
        return self


class EnvironmentSpec(Model):
    """One researcher's environment. `image` overrides the type's own; `volume` may grow and never shrinks; `expires` is
    its last day (YYYY-MM-DD, UTC): the day after, it is stopped and its volume kept. `podSecurity: baseline` is for an
    image that can't run as `restricted` demands. `movable` is when it may be moved to another machine so that one can
    go: `idle` is after `cull.timeout` seconds without activity, and never where culling is off."""

    type: Literal["jupyter", "rstudio", "desktop"]
    owner: Name
    image: Image | None = None
    cpu: Cpu = "1"
    memory: Memory = "2Gi"
    gpu: Annotated[int, Field(ge=0, le=16)] = 0
    gpu_resource: ResourceName = "nvidia.com/gpu"
    volume: Size = "10Gi"
    storage_class: ObjectName | None = None
    packages: Packages = Packages()
    cull: Cull = Cull()
    expires: Date | None = None
    access: EnvironmentAccess = EnvironmentAccess()
    pod_security: Literal["restricted", "baseline"] = "restricted"
    movable: Literal["idle", "never", "always"] = "idle"

    @model_validator(mode="after")
    def _installable(self) -> Self:
        """The types' own images have one language each; what another image has, nobody knows before it runs."""
        without = ("r",) if self.type != "rstudio" else ("pip", "conda")
        for key in without if self.image is None else ():
            if getattr(self.packages, key):
                raise At(("packages", key), f"the image of {self.type} has no {key}: name one that has as spec.image")
        return self


class Environment(Kind):
    """JupyterLab, RStudio or a Linux desktop for one researcher."""

    kind: Literal["Environment"]
    spec: EnvironmentSpec

    @property
    def title(self) -> str:
        """Two researchers may call theirs the same."""
        return f"{self.spec.owner}/{self.name}"

    @model_validator(mode="after")
    def _short(self) -> Self:
        """A Route without a host gets NAME-NAMESPACE as the first part of one, which must be a DNS label."""
        label = f"{self.name}-env-{self.spec.owner}"
        if self.spec.access.via == "route" and self.spec.access.host is None and len(label) > 63:
            message = f"{label!r} would be longer than 63 characters, the limit of a part of a host's name: say a host"
            raise At(("spec", "access"), message)
        return self

    def expired(self, today: datetime.date) -> bool:
        """Is its last day over on `today` (UTC)?"""
        return self.spec.expires is not None and datetime.date.fromisoformat(self.spec.expires) < today
