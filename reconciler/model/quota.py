"""How much of what a project may have, and how much it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Allotment:
    """`limit` is -1 where there is none. RAM is in MiB, gigabytes are GiB of volumes."""

    used: int
    limit: int


# By what is counted: instances, cores, ram, volumes, gigabytes, ports, floating_ips, security_groups,
# security_group_rules, networks, subnets, routers, server_groups, load_balancers, listeners, pools, members, monitors.
# What could not be asked is not in it.
Quota: TypeAlias = Mapping[str, Allotment]
