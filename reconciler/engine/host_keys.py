"""Which host keys a machine has: as its console log says, and what people should know of those that nobody vouched for.

cloud-init prints the public host keys to the console when it made them, at the first boot of an instance and before
anything of a tenant's runs. Who has the machine later can write there too, so the first whole block counts and those
after it do not (decision 0085).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..model.change import Action, Class, Difference, Severity
from ..model.host_key import HostKey, Source, Vouched, machines, parse
from ..model.resource import Component, Key

_BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
_END = "-----END SSH HOST KEY KEYS-----"
_MOST_LINES = 64  # of a block: five keys, and what the kernel says meanwhile
# what a line may begin with: the kernel's clock, and who wrote it
_PREFIX = re.compile(r"^(\[ *[0-9]+\.[0-9]+\] )?([a-z-]{1,32}\[[0-9]+\]: )?")

_FINISHED = re.compile(r"^Cloud-init v\. \S{1,40} finished at ")


def of_console(log: str) -> tuple[HostKey, ...]:
    """The keys in the first whole block of a console log, sorted; none where there is no such block, or where it has
    two different keys of one type. Lines between that are no keys are the kernel's."""
    block: list[str] | None = None
    for line in _lines(log):
        if line == _BEGIN:
            block = []
        elif line == _END and block is not None:
            return machines([key for text in block if (key := parse(text))])
        elif block is not None:
            block = [*block, line] if len(block) < _MOST_LINES else None
    return ()


def printed(log: str) -> bool:
    """Whether cloud-init is through with the keys: a whole block is there, or it says that it has finished."""
    lines = list(_lines(log))
    whole = _BEGIN in lines and _END in lines[lines.index(_BEGIN) :]
    return whole or any(_FINISHED.match(line) for line in lines)


def _lines(log: str) -> Iterator[str]:
    return (_PREFIX.sub("", line.strip("\r\0 "), count=1) for line in log.split("\n"))


def notices(keys: Mapping[str, Vouched]) -> tuple[Difference, ...]:
    """What somebody should know: of which machines, by name, the key was taken from whoever answered first."""
    return tuple(_notice(name, vouched) for name, vouched in sorted(keys.items()) if vouched.source is Source.CONTACT)


def _notice(name: str, vouched: Vouched) -> Difference:
    why = (
        f"its SSH host key is the one it had at first contact: {vouched.fingerprints}; nobody else vouches for it: "
        "compare it with what the machine says on its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)"
    )
    of, seen = Key("server", name), vouched.fingerprints
    return Difference(
        Component.KUBERNETES, of, "hostKey", None, None, seen, Class.NOTICE, Action.NONE, Severity.LOW, why
    )
