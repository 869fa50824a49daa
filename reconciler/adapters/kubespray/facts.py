"""Whether Ansible's cache has what a limited run needs of a host that it leaves out."""

from __future__ import annotations

import json
import time
from pathlib import Path

# Ansible takes nothing from the cache that is older than a day (fact_caching_timeout), and a run may last hours.
_YOUNG_SECONDS = 12 * 3600.0
# What facts.yml gathers after a host's addresses: a run that was killed half-way has not got as far.
_NEEDED = "ansible_system"
_MOST_BYTES = 8 << 20


def usable(file: Path) -> bool:
    """Are the facts of one host in this file, whole and young? What can't be read has to be gathered."""
    try:
        status = file.stat()
        if status.st_size > _MOST_BYTES or not 0 <= time.time() - status.st_mtime < _YOUNG_SECONDS:
            return False
        facts = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and _NEEDED in facts
