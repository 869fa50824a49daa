"""What already runs in a project, as the desired state would say it: which resources, in which words, as which file."""

from .describe import Described, Guesses, describe
from .members import Choice, Members, candidates, marked, members
from .text import Left, text

__all__ = [
    "Choice",
    "Described",
    "Guesses",
    "Left",
    "Members",
    "candidates",
    "describe",
    "marked",
    "members",
    "text",
]
