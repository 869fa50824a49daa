"""A difference: one thing that is not as desired, with all three sides and a verdict on what it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from .resource import Component, Key, Owner, Value

# The live side of what is being deleted already.
LEAVING = "being deleted"


class Class(StrEnum):
    """Why the two sides differ, read from three layers: git now, last applied, live."""

    PENDING = "pending"  # git changed and was not applied yet
    DRIFT = "drift"  # the live side changed
    UNMANAGED = "unmanaged"  # carries our tag, is in no desired state; or a field that somebody added to what is
    IGNORED = "ignored"  # a rule or a controller owns the field
    UNKNOWN = "unknown"  # could not be observed: never acted on
    NOTICE = "notice"  # nothing differs: somebody should know all the same


class Action(StrEnum):
    """What repair would do."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    NONE = "none"


class Severity(IntEnum):
    """How soon somebody should look. Ordered: higher is worse."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field (or, with `field` empty, a whole resource) that is not as desired.

    `why` is one sentence for people. `id` is the live resource's id where there is one: pruning goes by id,
    never by name. `first_seen` is when the observed branch first had it, ISO 8601 in UTC, empty where it is new.
    `cause` is the key of the difference this one follows from; `effects` are, on that one, what follows from it in
    a few words each ("node demo-worker-2 is not Ready", "4 pods are pending"). `owner` is who else the live field
    belongs to, where the API server keeps books of it; `conceded` says that whoever it is leaves this to git. `empty`:
    what repair would destroy never ran, and holds nothing. `set_at` is when that manager last wrote, for a field that
    was added; `returned` says that it was removed once already.
    """

    component: Component
    key: Key
    field: str
    desired: Value
    applied: Value
    live: Value
    cls: Class
    action: Action
    severity: Severity
    why: str
    id: str = ""
    first_seen: str = ""
    cause: Key | None = None
    effects: tuple[str, ...] = ()
    owner: Owner | None = None
    conceded: bool = False
    empty: bool = False
    set_at: str = ""
    returned: bool = False

    @property
    def contested(self) -> bool:
        """Would repair take the field from somebody who owns it, did not just type, and does not concede it? Or from
        somebody who put it back?"""
        return (self.taken and not self.conceded) or (self.actionable and self.returned)

    @property
    def added(self) -> bool:
        """Is it a field that somebody added to an object of ours, and not a whole resource that nobody wants?"""
        return self.cls is Class.UNMANAGED and bool(self.field)

    @property
    def stray(self) -> bool:
        """Is it a whole resource that is in nobody's desired state?"""
        return self.cls is Class.UNMANAGED and not self.field

    @property
    def taken(self) -> bool:
        """Would repair take the field from somebody else than people?"""
        return self.actionable and self.owner is not None and not self.owner.by_hand

    @property
    def actionable(self) -> bool:
        return self.action is not Action.NONE and self.cls not in (Class.IGNORED, Class.UNKNOWN)

    @property
    def waiting(self) -> bool:
        """Does it wait for something that is not known yet?"""
        return self.cls is Class.PENDING and self.action is Action.NONE

    @property
    def order(self) -> tuple[int, int, Key, str, str]:
        """Worst first, then by component, kind, name and field: the same on every run."""
        return (
            -int(self.severity),
            list(Component).index(self.component),
            self.key,
            self.field,
            self.id,
        )
