"""Cluster Autoscaler decides, git records: a gRPC server for its external provider over the desired state."""

from . import silence  # noqa: F401 - before whoever imports grpc
from .book import Book
from .desk import Desk, Ground
from .journal import Journal
from .server import Seen, Server, Tls
from .service import Terms

__all__ = ["Book", "Desk", "Ground", "Journal", "Seen", "Server", "Terms", "Tls"]
