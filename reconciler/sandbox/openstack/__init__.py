"""OpenStack itself, from PyPI, as five processes of the user: the cloud that the demo and the tests run on."""

from .cloud import Cloud
from .seed import make_expired_credential
from .services import ServiceStatus

__all__ = ["Cloud", "ServiceStatus", "make_expired_credential"]
