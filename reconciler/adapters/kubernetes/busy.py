"""A server that has no time now says when to ask again: one that just started still reads its store, one under load
defers who asks much. It is asked again as often as kubectl would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import interrupt

# client-go's rest.Request: an answer with Retry-After was not acted on, so that even a change may be sent again.
_DEFERRED = (429, *range(500, 600))
_TIMES = 10
_LONGEST_SECONDS = 5.0


def patiently(send: Callable[[], Any]) -> Any:
    """The first answer that does not ask to come again, or the eleventh. `send` gets an HTTP answer with `status` and
    `headers`; what it raises is raised. Waits at most 5 s between two, whatever the server asks for."""
    answer = send()
    for _ in range(_TIMES):
        if (seconds := pause(answer.status, answer.headers.get("Retry-After"))) is None or interrupt.requested():
            break
        interrupt.wait(seconds)
        answer = send()
    return answer


def pause(status: int, retry_after: str | None) -> float | None:
    """For how many seconds the server asks to be left alone: 0 to 5. None where it does not ask for it, or says it in
    another way than a number of seconds (RFC 9110 also has dates; no API server writes one)."""
    if status not in _DEFERRED or retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return min(float(retry_after[:9]), _LONGEST_SECONDS)
