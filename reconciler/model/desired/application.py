"""The Application kind: what runs on OpenShift beside the clusters, such as Sid's front end and middleware."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Kind, Model, Name, Port


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


class Application(Kind):
    """A service on OpenShift, deployed through Terraform."""

    kind: Literal["Application"]
    spec: ApplicationSpec
