"""What an output's value may be, by its type."""

from __future__ import annotations

import pytest

from reconciler.spec.output_values import wrong
from reconciler.spec.wiring import Output

GOOD = {
    "address": ["192.0.2.1", "2001:db8::1", "lb.example.org", "demo-1"],
    "host": ["web.example.org", "*.apps.example.org", "localhost"],
    "port": ["1", "443", "65535"],
    "url": ["https://web.example.org", "https://192.0.2.1"],
    "endpoint": ["https://192.0.2.1:6443", "https://[2001:db8::1]:6443", "https://api.example.org"],
}
BAD = {
    "address": ["", "a b", "x/y", "fe80::1%eth0", "-x", "a..b", f"{'a' * 64}.b", ".".join(["abc"] * 70), "a\n",
                "ä.org"],
    "host": ["", "https://x", "x:443", "*", "a.*.b", "x\u202e"],
    "port": ["0", "65536", "-1", "80 ", "8o", "", "٣"],
    "url": ["http://x", "https://", "https://u:p@x", "https://x/y", "https://x?y", "https://x#y", "https://x:99999",
            "https://x y", "https://x\n", "javascript:x", f"https://{'a.' * 200}b", "https://[::1", "https://x:0"],
    "endpoint": ["https://x@y:6443", "x:6443", "https://x:"],
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in GOOD.items() for v in values])
def test_what_it_may_be(field: str, value: str) -> None:
    assert wrong(Output("b", "x", "y", field), value) == ""


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in BAD.items() for v in values])
def test_what_it_may_not_be(field: str, value: str) -> None:
    problem = wrong(Output("b", "x", "y", field), value)
    assert problem
    assert len(value) < 9 or value not in problem
