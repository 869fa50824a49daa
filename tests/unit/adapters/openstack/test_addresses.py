"""Addresses as Neutron has them, in git's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.adapters.openstack import addresses


@pytest.mark.parametrize(
    ("live", "as_git_has_it"),
    [
        (("10.0.0.5",), ("10.0.0.5/32",)),
        (("10.0.0.5/32", "10.0.1.0/24"), ("10.0.0.5/32", "10.0.1.0/24")),
        (("10.0.1.7/24",), ("10.0.1.0/24",)),
        (("2001:DB8::1",), ("2001:db8::1/128",)),
        (("what is this",), ("what is this",)),
    ],
)
def test_addresses_that_mean_the_same_are_the_same(live: tuple[str, ...], as_git_has_it: tuple[str, ...]) -> None:
    port: Any = SimpleNamespace(allowed_address_pairs=[{"ip_address": each} for each in live])
    assert addresses.allowed(port) == as_git_has_it
