"""Nova in one process: API, conductor, scheduler and every compute host, on an in-process transport."""

import sys
import time
import urllib.error
import urllib.request
import uuid

from nova import monkey_patch

monkey_patch.patch(backend="threading")  # before anything else of Nova is imported

import sqlite_patch  # noqa: F401
import messaging_patch  # noqa: F401
import nova.conf
import nova.virt.fake
import os_brick
import os_vif
from nova import context, objects, service
from nova.api.openstack import wsgi_app
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.objects import host_mapping
from nova.scheduler import rpcapi as scheduler_rpcapi
from nova.scheduler.client import report
from nova.virt import node

import nova_driver

CONF = nova.conf.CONF
_PATIENCE_SECONDS = 120


def start(_configuration):
    """Return the WSGI application and a function that stops the rest."""
    sys.argv = ["nova-api"]
    wsgi_app.init_global_data(wsgi_app._get_config_files(), "osapi_compute", "nova-api")
    objects.register_all()
    _patch()
    os_brick.setup(CONF)
    os_vif.initialize()
    objects.Service.enable_min_version_cache()
    _identify()
    _wait_for(CONF.sandbox.wait_for)
    services = [
        service.Service.create(binary="nova-conductor", topic=conductor_rpcapi.RPC_TOPIC),
        service.Service.create(binary="nova-scheduler", topic=scheduler_rpcapi.RPC_TOPIC),
    ]
    for each in services:
        each.start()
    nova_driver.forget_deleted_machines()
    services += [_compute(host) for host in CONF.sandbox.hosts]
    host_mapping.discover_hosts(context.get_admin_context())
    application = wsgi_app.init_application("osapi_compute", "nova-api")
    return application, lambda: [each.stop() for each in reversed(services)]


def _compute(host):
    topics = {"topic": compute_rpcapi.RPC_TOPIC, "topic_alt": compute_rpcapi.RPC_TOPIC_ALT}
    started = service.Service.create(host=host, binary="nova-compute", **topics)
    started.start()
    return started


def _patch():
    """Nova loads hypervisor drivers from below nova.virt only. And every claim asks Placement for every allocation on
    the host (6,839 requests for 103 servers), which only PCI tracking and reshapes need: there is none here."""
    nova.virt.fake.MachineDriver = nova_driver.MachineDriver
    report.SchedulerReportClient.get_allocations_for_provider_tree = lambda self, context, nodename: {}


def _identify():
    """From its second start on Nova insists on a file with the host's identity, which is one a process: ours has
    several hosts, each with an identity of its own that the driver knows, so what the file says does not matter."""
    if node.read_local_node_uuid() is None:
        node.write_local_node_uuid(str(uuid.uuid4()))


def _wait_for(urls):
    """The services we need start at the same time as we do, and a host that can't register waits for a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for url in urls:
        while not _answers(url):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer")
            time.sleep(0.1)


def _answers(url):
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
