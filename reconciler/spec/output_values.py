"""What an output's value may be: it comes from a live cluster or a record, and goes into an application as it is."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .wiring import Output

# RFC 1123 names; an Ingress may have a wildcard. Of 253 characters at most (RFC 1035, 2.3.4).
_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_LONGEST_NAME, _LONGEST_URL = 253, 300


def wrong(output: Output, value: str) -> str:
    """Why an output can't have this value, without the value; empty where it can."""
    if output.field in ("url", "endpoint"):
        return "" if _is_url(value) else "no https:// address of a host"
    if output.field == "port":
        return "" if re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= 65535 else "no port from 1 to 65535"
    if output.field == "host":
        return "" if _is_name(value) else "no name of a host"
    if output.field == "address":
        return "" if _is_address(value) else "neither an IP address nor a name of a host"
    return ""


def _is_name(value: str) -> bool:
    return len(value) <= _LONGEST_NAME and bool(_NAME.fullmatch(value))


def _is_address(value: str) -> bool:
    try:
        return bool(ipaddress.ip_address(value)) and "%" not in value
    except ValueError:
        return _is_name(value)


def _is_url(value: str) -> bool:
    """https://HOST or https://HOST:PORT and nothing more: neither a user nor a path."""
    if len(value) > _LONGEST_URL or not value.startswith("https://") or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    shown = f"[{host}]" if ":" in host else host
    whole = f"https://{shown}{'' if port is None else f':{port}'}"
    return value.lower() == whole and port != 0 and _is_address(host)
