"""Lines of git that say "this is not a secret", each with a reason: a comment on the line, or right above it.

`# not-secret: why` is ours. What the scanners for secrets call it counts as well, so that nobody has to write both:
`# gitleaks:allow why` and `# pragma: allowlist secret why`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SPELLING = "# not-secret: <reason>"
_COMMENT = re.compile(
    r"(?:^|(?<=\s))(?:#|//|/\*|\{\{-?\s*/\*|\{#)\s*"
    r"(?:not-secret|gitleaks:\s?allow|pragma:\s?allowlist\s(?:nextline\s)?secret)\b(?P<why>.*)"
)
_ALONE = re.compile(r"[\s-]*(?:#|//|/\*|\{\{-?\s*/\*|\{#)")
_AROUND = " \t\r:;,.=-\u2013\u2014*/#{}()"  # what stands around a reason and is none
_REASON = re.compile(r"\w{2}")


def reason(lines: Sequence[str], number: int) -> str | None:
    """Why what stands at line `number` (from 1) is no secret, in the words of git; "" where the comment gives no
    reason, None where nothing says so. A key whose value stands in the next line may have the comment there."""
    if not 0 < number <= len(lines):
        return None
    own = _COMMENT.search(lines[number - 1])
    if own is None and lines[number - 1].rstrip().endswith(":") and number < len(lines):
        own = _COMMENT.search(lines[number])
    above = number - 1
    while own is None and above > 0 and _ALONE.match(lines[above - 1]):
        own, above = _COMMENT.search(lines[above - 1]), above - 1
    if own is None:
        return None
    why = own["why"].strip(_AROUND)
    return why if _REASON.search(why) else ""


def without(line: str) -> str:
    """The line without such a comment."""
    return _COMMENT.sub("", line).strip()
