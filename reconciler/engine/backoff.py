"""How long to wait after a failure, and how often to be woken by what we watch: so that nothing spins."""

from __future__ import annotations

from dataclasses import dataclass, replace

BASE_SECONDS = 5.0
CAP_SECONDS = 900.0
_SPREAD = 0.25  # how much of a delay is left to chance: clusters that failed together should not come back together

BURST = 30.0
REFILL_SECONDS = 20.0


def delay(failures: int, chance: float, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """Seconds until the next attempt after `failures` in a row: twice as long each time, up to `cap`. `chance` is from
    0 to 1 and takes up to a quarter off."""
    if failures <= 0:
        return 0.0
    return float(min(cap, base * 2.0 ** min(failures - 1, 30)) * (1 - _SPREAD * chance))


def jittered(interval: float, part: float, chance: float) -> float:
    """An interval made longer or shorter by up to `part` of it: 200 clusters must not be checked in one second."""
    return interval * (1 + part * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class Patience:
    """A bucket of tokens, one for each time that something observed may start a cycle at once. A controller that fights
    with us over a field uses them up; then it gets one cycle in `REFILL_SECONDS`. Times in seconds, monotonic."""

    tokens: float = BURST
    at: float = 0.0

    def now(self, now: float) -> Patience:
        """With what was refilled since."""
        refilled = min(BURST, self.tokens + max(0.0, now - self.at) / REFILL_SECONDS)
        return replace(self, tokens=refilled, at=now)

    def used(self, now: float) -> Patience:
        """One token less."""
        current = self.now(now)
        return replace(current, tokens=max(0.0, current.tokens - 1))

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        current = self.now(now)
        return 0.0 if current.tokens >= 1 else (1 - current.tokens) * REFILL_SECONDS
