"""Logging in by clouds.yaml, and saying what is wrong in words when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import Invalid, Permanent, ReconcilerError, Transient
from ...importing import one_at_a_time
from ...model.login import Login
from .resolve import resolve


def connect(cloud: str, clouds_file: Path | None, timeout: float, *, alone: bool = True) -> tuple[Any, Login]:
    """Return an openstacksdk connection that is logged in, and the login it was made with. `timeout` in seconds holds
    for each request; `alone` is as `resolve` has it.

    Raises Permanent (no clouds.yaml, credential refused), Invalid (no such cloud in it, or more than one region),
    Transient (no answer).
    """
    try:
        connection, login = _connected(cloud, clouds_file, timeout, None, alone)
        regions = () if login.region else _regions(connection)
        if len(regions) > 1:
            raise Invalid(
                f"cloud {cloud!r} has several regions, and clouds.yaml names none: {', '.join(regions)}",
                hint="say which one with `region_name` in clouds.yaml",
            )
        if regions:
            connection, login = _connected(cloud, clouds_file, timeout, regions[0], alone)
    except ReconcilerError:
        raise
    except Exception as error:
        raise explain(cloud, error) from error
    return connection, login


def _connected(
    cloud: str, clouds_file: Path | None, timeout: float, region: str | None, alone: bool
) -> tuple[Any, Login]:
    configuration, login = resolve(cloud, clouds_file, timeout, region, alone=alone)
    with one_at_a_time:
        import openstack

    connection = openstack.connection.Connection(config=configuration)
    connection.authorize()
    return connection, login


def _regions(connection: Any) -> tuple[str, ...]:
    """The regions in which the cloud has machines and networks, by its own catalogue."""
    catalogue = [entry for entry in connection.service_catalog or () if entry.get("type") in ("compute", "network")]
    endpoints = [endpoint for entry in catalogue for endpoint in entry.get("endpoints") or ()]
    return tuple(sorted({str(e.get("region_id") or e.get("region") or "") for e in endpoints} - {""}))


def explain(cloud: str, error: Exception) -> ReconcilerError:
    """The SDK's exception as one of ours. Anything that names a secret stays out of the message."""
    import keystoneauth1.exceptions as ks
    import openstack.exceptions as sdk

    if isinstance(error, (sdk.ConfigException, ks.MissingRequiredOptions)):
        known = "not found" in str(error).lower() or "was not found" in str(error)
        message = (
            f"cloud {cloud!r} is not in clouds.yaml"
            if known
            else f"cloud {cloud!r}: clouds.yaml is incomplete: {error}"
        )
        return Invalid(message, hint="`spec.cloud` must be one of the names below `clouds:`")
    status = next((s for e in _chain(error) if (s := getattr(e, "http_status", None))), None)
    if status == 401:
        hint = "make a new application credential and put it into clouds.yaml: it has expired, was deleted, or is wrong"
        return Permanent(f"cloud {cloud!r} refused the credential (401)", hint=hint)
    if status == 403:
        hint = "the application credential needs the member role (and reader is enough for drift)"
        return Permanent(f"cloud {cloud!r} does not allow this (403): {_first_line(error)}", hint=hint)
    if status in (400, 409) and (told := _refused(str(error))):
        return Permanent(f"cloud {cloud!r} refuses this ({status}): {_first_line(error)}", hint=told)
    if any(isinstance(e, (ks.ConnectionError, ks.DiscoveryFailure)) for e in _chain(error)):
        hint = "is auth_url right, and can this machine reach it (VPN, firewall)? Nothing was changed"
        return Transient(f"cloud {cloud!r} does not answer: {_first_line(error)}", hint=hint)
    return Transient(f"cloud {cloud!r}: {_first_line(error)}", hint="try again; `reconciler doctor` shows what answers")


# What a service says of a refusal that lasts until somebody does something, and what that is.
_LASTING = (
    (("is locked",), "`openstack server unlock` it, and the next cycle goes on"),
    (("vm_state soft-delete", "soft_deleted"), "Nova removes it after a while; `openstack server restore` keeps it"),
)


def _refused(text: str) -> str:
    """What to do about a refusal that no waiting ends; empty for one that may pass."""
    said = text.lower()
    return next((way for words, way in _LASTING if any(word in said for word in words)), "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from: the SDK hides the connection's failure behind one of its own."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
