"""GitHub and GitLab over their REST APIs: comments on pull requests, and issues."""

from .connect import forge

__all__ = ["forge"]
