"""What Nova keeps of a server's console: text that whoever is root there may have written."""

from __future__ import annotations

from typing import Any

from ...confine import MIB

_MOST = MIB  # characters; Nova itself keeps 100 KiB


def log(connection: Any, server: str) -> str:
    """The console's log from its beginning, cut after a MiB; empty while nothing was written. Raises what the SDK
    raises: a policy may keep it from us, and not every hypervisor has one."""
    answer = connection.compute.get_server_console_output(server)
    output = answer.get("output") if isinstance(answer, dict) else None
    return output[:_MOST] if isinstance(output, str) else ""
