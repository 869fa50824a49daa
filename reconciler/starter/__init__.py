"""A new GitOps repository: what it holds, and how it comes to be on disk."""

from .content import UNDECIDED, Answers, answered, files
from .disk import Made, write

__all__ = ["UNDECIDED", "Answers", "Made", "answered", "files", "write"]
