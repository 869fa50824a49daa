"""A new GitOps repository: what it holds, and how it comes to be on disk."""

from .files import UNDECIDED, Answers, answered, files
from .write import Made, write

__all__ = ["UNDECIDED", "Answers", "Made", "answered", "files", "write"]
