"""Code owners as forges read them: whose approval a change of a file needs.

Of GitHub's and GitLab's syntax what both have: a pattern and owners on a line, the last line that matches counts, and
one without owners takes them away (docs.github.com: "About code owners"). GitLab's sections are read as one.
"""

from __future__ import annotations

from collections.abc import Collection

from .tenancy.patterns import matches_path

# Where forges look, in this order: GitHub's places, then GitLab's own.
PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")


def unowned(text: bytes, paths: Collection[str]) -> list[str]:
    """Those of `paths` that nobody has to approve."""
    lines = [line for raw in text.decode(errors="replace").splitlines() if (line := _words(raw))]
    return [path for path in paths if not _owners(lines, path)]


def _words(line: str) -> list[str]:
    """A pattern and its owners; empty for a comment and for a section's head."""
    words = line.partition(" #")[0].split()
    return [] if not words or words[0].startswith(("#", "[", "^[")) else words


def _owners(lines: list[list[str]], path: str) -> list[str]:
    return next((owners for pattern, *owners in reversed(lines) if _matches(pattern, path)), [])


def _matches(pattern: str, path: str) -> bool:
    """A folder's pattern means all below it, one without a slash matches at any depth, and `docs/*` no deeper."""
    anchored = pattern.removeprefix("/") if "/" in pattern.removesuffix("/") else f"**/{pattern}"
    below = not anchored.endswith(("/*", "/")) or anchored == "**/*"
    return matches_path(anchored, path) or (below and matches_path(f"{anchored}/**", path))
