"""Which cluster's folder may use what that is not its own: the policy, and where the desired state goes beyond it."""

from .named import named
from .policy import Tenancy, opener, read
from .remarks import remarks
from .rendered import rendered

__all__ = ["Tenancy", "named", "opener", "read", "remarks", "rendered"]
