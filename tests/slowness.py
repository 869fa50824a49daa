"""How fast the machine is at this moment: limits in seconds are those of an idle core."""

from __future__ import annotations

import os
import time

import yaml

_MEASURE = "[" + "a," * 1_000 + "]"
_MEASURED = 0.023  # seconds an idle core takes to parse it (Python 3.11 at 2.5 GHz)


def slowness() -> float:
    """How many times longer than on an idle core a parser takes now, 1 at least: neighbours on the core, in its caches
    or on the host of a virtual machine can double the processor time of anything that makes many objects, and a loop
    that makes none does not show it."""
    began = time.process_time()
    for _ in yaml.parse(_MEASURE, Loader=yaml.SafeLoader):
        pass
    return max(1.0, (time.process_time() - began) / _MEASURED)


def burden() -> float:
    """How many times longer by the clock something takes now than on an idle machine, 1 at least: the cores are slower,
    and others wait for them too."""
    return slowness() * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
