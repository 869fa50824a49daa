"""Logging in by clouds.yaml, and saying what is wrong in words when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import Invalid, Permanent, ReconcilerError, Transient
from ...importing import one_at_a_time


def connect(cloud: str, clouds_file: Path | None, timeout: float) -> Any:
    """Return an openstacksdk connection that is logged in. `timeout` in seconds holds for each request.

    Raises Permanent (no clouds.yaml, credential refused), Invalid (no such cloud in it), Transient (no answer).
    """
    with one_at_a_time:  # 0.5 s that `validate` need not pay
        import openstack
        from openstack.config.loader import OpenStackConfig

    if clouds_file is not None and not clouds_file.is_file():
        raise Permanent(f"cloud {cloud!r}: there is no {clouds_file}", hint=_WHERE)
    try:
        config = OpenStackConfig(config_files=[str(clouds_file)] if clouds_file else None, load_envvars=False)
        if not config.config_filename:
            raise Permanent(f"cloud {cloud!r}: no clouds.yaml was found", hint=_WHERE)
        region = config.get_one(cloud=cloud, api_timeout=timeout)
        connection = openstack.connection.Connection(config=region)
        connection.authorize()
    except ReconcilerError:
        raise
    except Exception as error:
        raise explain(cloud, error) from error
    return connection


_WHERE = "download it from the dashboard (Identity → Application Credentials) and name it with OS_CLIENT_CONFIG_FILE"


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
