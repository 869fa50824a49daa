"""Octavia's API without amphorae: what its workers would report when they are done is true after each request."""

import threading

import sqlite_patch  # noqa: F401
from octavia.api import app
from octavia.api.drivers import driver_factory
from octavia.api.drivers.driver_agent.driver_updater import DriverUpdater
from octavia.api.drivers.noop_driver.driver import NoopProviderDriver
from octavia.common import constants
from octavia.db import api, models

CHILDREN = {
    "loadbalancers": ("listeners", "pools"),
    "listeners": ("l7policies",),
    "l7policies": ("l7rules",),
    "pools": ("members", "health_monitor"),
}
PENDING = (constants.PENDING_CREATE, constants.PENDING_UPDATE, constants.PENDING_DELETE)
# Octavia's transactions read before they write, for which SQLite has "database is locked" as soon as there are two
_one_at_a_time = threading.Lock()


class NoAmphoraDriver(NoopProviderDriver):
    """Agrees to everything."""

    def create_vip_port(self, loadbalancer_id, project_id, vip_dictionary, additional_vip_dicts):
        """Octavia then makes one itself, in Neutron, where a floating IP can be put on it."""
        raise NotImplementedError


def start(configuration):
    """Return the WSGI application and a function that stops the rest, of which there is none."""
    driver_factory.get_driver = _driver
    inner = app.setup_app(argv=["octavia-api", "--config-file", configuration])

    def application(environ, start_response):
        with _one_at_a_time:
            response = list(inner(environ, start_response))
            _settle()
            return response

    return application, lambda: None


def _driver(provider):
    driver = NoAmphoraDriver()
    driver.name = provider if isinstance(provider, str) else "amphora"
    return driver


def _settle():
    """Whatever changes below a load balancer makes it pending. What fails here (Neutron may be down when an address is
    to be given back) is tried again after the next request."""
    session = api.get_session()
    with session.begin():
        balancers = session.query(models.LoadBalancer).filter(models.LoadBalancer.provisioning_status.in_(PENDING))
        statuses = {}
        for balancer in balancers:
            _walk("loadbalancers", balancer, False, statuses)
    if statuses:
        DriverUpdater().update_loadbalancer_status(statuses)


def _walk(kind, row, gone, statuses):
    """Collect what `row` and everything below it come to."""
    gone = gone or row.provisioning_status == constants.PENDING_DELETE
    for name in CHILDREN.get(kind, ()):
        below = getattr(row, name) or []
        for child in below if isinstance(below, list) else [below]:
            _walk("healthmonitors" if name == "health_monitor" else name, child, gone, statuses)
    settled = {"provisioning_status": constants.DELETED} if gone else _at_work(kind, row)
    statuses.setdefault(kind, []).append({"id": row.id, **settled})


def _at_work(kind, row):
    if not row.enabled:
        operating = constants.OFFLINE
    elif kind == "members" and not _is_monitored(row.pool):
        operating = constants.NO_MONITOR
    else:
        operating = constants.ONLINE
    return {"provisioning_status": constants.ACTIVE, "operating_status": operating}


def _is_monitored(pool):
    monitor = pool.health_monitor
    return monitor is not None and monitor.provisioning_status != constants.PENDING_DELETE
