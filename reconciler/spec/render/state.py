"""Where Terraform keeps one workspace's state, in the words of its backends."""

from __future__ import annotations

import hashlib
import re

from ...model.desired.state import HttpState, PgState, S3State, State, state_name
from ...ports import Backend

_LONGEST = 63  # a name in PostgreSQL


def backend(state: State, cluster: str, workspace: str) -> Backend | None:
    """The backend of one workspace; None for the workspace's own folder. Nothing in it is secret."""
    name = state_name(cluster, workspace)
    if state.s3:
        return Backend("s3", _s3(state.s3, name))
    if state.pg:
        return Backend("pg", _pg(state.pg, name))
    return Backend("http", _http(state.http, name)) if state.http else None


def place(state: State) -> str:
    """Where the states of all clusters lie, to compare and for people; "" for folders of the machine. One cluster's
    name there is one state, whoever's cluster it is."""
    if state.s3:
        at = f" at {state.s3.endpoint.rstrip('/').lower()}" if state.s3.endpoint else ""
        return f"Terraform's states in {state.s3.bucket}/{state.s3.prefix.strip('/')}{at}"
    if state.pg:
        schema = re.sub(r"[^a-z0-9]", "_", state.pg.db_schema.lower())
        return f"Terraform's states in {state.pg.address.partition('?')[0].lower()}, {schema}"
    return f"Terraform's states at {state.http.address.rstrip('/').lower()}" if state.http else ""


def _s3(said: S3State, name: str) -> dict[str, object]:
    made: dict[str, object] = {
        "bucket": said.bucket,
        "key": f"{said.prefix.strip('/')}/{name}.tfstate",
        "region": said.region,
        "use_lockfile": True,
    }
    if said.endpoint:  # not Amazon's own: it has none of Amazon's other services to ask
        made |= {"endpoints": {"s3": said.endpoint}, "skip_credentials_validation": True}
        made |= {"skip_requesting_account_id": True, "skip_metadata_api_check": True, "skip_region_validation": True}
        made |= {"skip_s3_checksum": True}
    return made | ({"use_path_style": True} if said.path_style else {})


def _pg(said: PgState, name: str) -> dict[str, object]:
    """A schema for each state: the backend has one table in it, and locks by its rows."""
    plain = re.sub(r"[^a-z0-9]", "_", f"{said.db_schema}_{name}".lower())
    whole = f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"  # `a-b` and `a_b` are two
    short = whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 9]}{whole[-9:]}"
    return {"conn_str": said.address, "schema_name": short}


def _http(said: HttpState, name: str) -> dict[str, object]:
    address = f"{said.address.rstrip('/')}/{name}"
    return {
        "address": address,
        "update_method": said.update_method,
        "lock_address": f"{address}/lock",
        "lock_method": said.lock_method,
        "unlock_address": f"{address}/lock",
        "unlock_method": said.unlock_method,
    }
