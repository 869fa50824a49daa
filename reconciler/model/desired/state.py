"""Where Terraform's state is kept, for every machine that reconciles this repository. Credentials stand elsewhere."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import At, Model

_Https = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s]*)?$")]
_Part = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)]


class S3State(Model):
    """A bucket of S3 or what speaks like it (`endpoint`, and `pathStyle` where buckets have no host name of their own).
    Locked by an object beside the state. Credentials: the usual AWS variables and files."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    region: str = "us-east-1"
    prefix: _Part = "reconciler"
    endpoint: _Https | None = None
    path_style: bool = False


class PgState(Model):
    """A database of PostgreSQL, locked by its advisory locks. `address` is postgres://HOST[:PORT]/DATABASE[?sslmode=…];
    credentials: PGUSER, PGPASSWORD, PGPASSFILE."""

    address: Annotated[str, StringConstraints(pattern=r"^postgres(ql)?://[^\s@]+/[^\s@/?]+(\?[^\s@]*)?$")]
    db_schema: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,29}$")] = Field(
        "reconciler", alias="schema"
    )


class HttpState(Model):
    """A service that keeps states below `address` and locks them at ADDRESS/STATE/lock, as GitLab does. Credentials:
    TF_HTTP_USERNAME, TF_HTTP_PASSWORD."""

    address: _Https
    update_method: Literal["POST", "PUT"] = "POST"
    lock_method: Literal["POST", "LOCK", "PUT"] = "POST"
    unlock_method: Literal["DELETE", "UNLOCK"] = "DELETE"


class State(Model):
    """At most one of `s3`, `pg` and `http`; none is a folder of the machine that reconciles. `encrypted` refuses to
    work on a machine whose settings have no key."""

    s3: S3State | None = None
    pg: PgState | None = None
    http: HttpState | None = None
    encrypted: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [name for name in ("s3", "pg", "http") if getattr(self, name)]
        if len(named) > 1:
            raise At((named[1],), f"there is {named[0]} already: state is kept in one place")
        return self

    @property
    def local(self) -> bool:
        """Is it a folder of the machine that reconciles?"""
        return not (self.s3 or self.pg or self.http)


def state_name(cluster: str, workspace: str) -> str:
    """What one state is called where all of them lie: a cluster's name has no dot."""
    return f"{cluster}.{re.sub(r'[^A-Za-z0-9_-]', '_', workspace)}"
