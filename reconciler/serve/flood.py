"""How many requests a second are taken: a bucket of tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """`burst` at once, then `rate` a second. Times are seconds of a monotonic clock."""

    rate: float
    burst: float
    tokens: float = math.nan
    at: float = 0.0

    def take(self, now: float) -> float:
        """Take one: 0 when there was one, else in how many seconds there will be."""
        before = self.burst if math.isnan(self.tokens) else self.tokens
        self.tokens = min(self.burst, before + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate
