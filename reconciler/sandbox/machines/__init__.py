"""Machines to log in to: an SSH host on loopback for every server that the sandbox's Nova says is on."""

from .processes import kill_all
from .service import Machines, MachineStatus

__all__ = ["MachineStatus", "Machines", "kill_all"]
