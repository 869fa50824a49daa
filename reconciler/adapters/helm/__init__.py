"""Helm's charts: rendered by helm, which has no network; fetched by us, from hosts that may be asked."""

from .render import Helm

__all__ = ["Helm"]
