"""service.py NAME ROOT HOST PORT: runs one OpenStack service, its API and all its workers, in this process."""

import importlib
import os
import signal
import sys
import threading
import traceback

import waitress

_THREADS = 8
_CONNECTIONS = 1000  # clients keep theirs open; at waitress's own limit of 100 the next one would wait for minutes
_GRACE_SECONDS = 0.5  # commits are durable, so an abrupt end loses only what is in flight


def main(name, root, host, port):
    _configure(f"{root}/etc")
    try:
        application, stop = _start(name, f"{root}/etc")
        server = waitress.create_server(
            application,
            host=host,
            port=port,
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            channel_timeout=600,
            ident=None,
        )
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # threads of a half-started service would keep the process alive
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(stop))
    server.run()


def _configure(folder):
    for service in ("KEYSTONE", "GLANCE", "PLACEMENT", "NEUTRON", "NOVA"):
        os.environ[f"OS_{service}_CONFIG_DIR"] = folder
    os.environ["OS_NEUTRON_CONFIG_FILES"] = "neutron.conf"


def _start(name, folder):
    if name in ("nova", "cinder", "octavia"):
        return importlib.import_module(f"{name}_service").start(f"{folder}/{name}.conf")
    sys.argv = [name]
    if name == "neutron":
        import neutron  # noqa: F401 - chooses its threading backend, which must come first
        import sqlite_patch, messaging_patch, neutron_no_agent  # noqa: F401, E401
    else:
        import sqlite_patch

        if name == "keystone":  # or a new application credential inherits the roles of a deleted one, and collides
            sqlite_patch.enforce_foreign_keys()
    return importlib.import_module(f"{name}.wsgi.api").application, lambda: None


def _end(stop):
    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(_GRACE_SECONDS)
    os._exit(0)


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
