"""How many files this process may have open: connections of strangers must not take those that cycles need."""

from __future__ import annotations

import contextlib
import resource

# Programs that we start inherit it; some close every number below it first, so there is an end to it.
_ENOUGH = 65_536


def raised() -> int:
    """Raise the soft limit to the hard one, 65,536 at most, and return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft
