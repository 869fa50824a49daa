"""Cinder in one process: API, scheduler and one volume backend, on an in-process transport."""

import sys

from cinder import monkey_patch

monkey_patch.patch(backend="threading")  # before anything else of Cinder is imported

import sqlite_patch  # noqa: F401
import messaging_patch  # noqa: F401
from cinder import service
from cinder.common import constants
from cinder.wsgi import wsgi
from oslo_config import cfg


def start(configuration):
    """Return the WSGI application and a function that stops the rest."""
    sys.argv = ["cinder-api", "--config-file", configuration]
    application = wsgi.initialize_application()
    (backend,) = cfg.CONF.enabled_backends
    services = [
        service.Service.create(binary=constants.SCHEDULER_BINARY),
        service.Service.create(
            host=f"{cfg.CONF.host}@{backend}",
            service_name=backend,
            binary=constants.VOLUME_BINARY,
            coordination=True,
        ),
    ]
    for each in services:
        each.start()
    return application, lambda: [each.stop() for each in reversed(services)]
