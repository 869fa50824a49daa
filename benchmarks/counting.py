"""Runs the command line and counts what goes over the wire: requests to OpenStack and Kubernetes, runs of git.

    python benchmarks/counting.py COUNTS.json run --ref origin/main

The counts since the start are written every ten seconds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

made: Counter[str] = Counter()


def counted(owner: Any, name: str, label: Callable[..., str]) -> None:
    original = getattr(owner, name)

    def counting(*given: Any, **named: Any) -> Any:
        made[label(*given, **named)] += 1
        return original(*given, **named)

    setattr(owner, name, counting)


def main() -> None:
    target = Path(sys.argv.pop(1))
    from git.cmd import Git
    from keystoneauth1.session import Session

    from reconciler.adapters.kubernetes.connection import Connection
    from reconciler.adapters.kubernetes.http2 import Http2
    from reconciler.cli import main as command

    counted(Session, "_send_request", lambda _self, _url, method, *_r, **_n: f"openstack {method}")
    counted(Connection, "request", lambda _self, method, _path, **_n: f"kubernetes {method}")
    counted(Http2, "get", lambda _self, path, *_r: f"kubernetes {'watch' if 'watch=true' in path else 'list'}")
    counted(Git, "execute", lambda _self, command, *_r, **_n: f"git {_verb(command)}")

    def keep() -> None:
        while True:
            time.sleep(10)
            target.write_text(json.dumps(dict(made)))

    threading.Thread(target=keep, daemon=True).start()
    command()


def _verb(command: list[str]) -> str:
    return next((w for w in command[1:] if not w.startswith("-") and "=" not in w), "?")


if __name__ == "__main__":
    main()
