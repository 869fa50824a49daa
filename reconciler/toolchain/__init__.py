"""Where programs that are not Python come from: found, fetched or built, always at a pinned version."""

from .toolbox import Found, Toolbox

__all__ = ["Found", "Toolbox"]
