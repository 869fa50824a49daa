"""The git repository: desired state read without starting a program, observed state written without a checkout, leases
that several machines share, and signatures."""

from .leases import GitLeases
from .repository import GitRepository
from .signatures import Signature, Signers
from .vouched import Trust
from .watching import RefWatch
from .worktree import uncommitted, working_tree

__all__ = ["GitLeases", "GitRepository", "RefWatch", "Signature", "Signers", "Trust", "uncommitted", "working_tree"]
