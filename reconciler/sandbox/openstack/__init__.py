"""OpenStack itself, from PyPI, one process of the user a service: the cloud that the demo and the tests run on."""

from .cloud import Cloud
from .layout import EXTRAS, PORTS
from .seed import make_expired_credential
from .services import ServiceStatus

__all__ = ["EXTRAS", "PORTS", "Cloud", "ServiceStatus", "make_expired_credential"]
