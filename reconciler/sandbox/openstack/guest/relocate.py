"""relocate.py ROOT: makes databases that were copied to ROOT its own. Standard input: JSON with `password` (the
administrator's, new) and `endpoints` (URL by service type)."""

import json
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path

import bcrypt

NAMES = {
    "identity": "keystone",
    "image": "glance",
    "placement": "placement",
    "network": "neutron",
    "compute": "nova",
    "block-storage": "cinder",
    "volumev3": "cinderv3",
    "load-balancer": "octavia",
}


def main(root, password, endpoints):
    with closing(sqlite3.connect(root / "db/keystone.sqlite")) as keystone, keystone:
        for kind, url in endpoints.items():
            _endpoint(keystone, kind, url)
        _administrator(keystone, password)
    with closing(sqlite3.connect(root / "db/nova_api.sqlite")) as nova, nova:
        for cell in ("cell0", "cell1"):
            url = f"sqlite:///{root}/db/nova_{cell}.sqlite"
            nova.execute("update cell_mappings set database_connection=? where name=?", (url, cell))


def _endpoint(keystone, kind, url):
    found = keystone.execute("select id from service where type=?", (kind,)).fetchone()
    service = found[0] if found else uuid.uuid4().hex
    if not found:
        extra = json.dumps({"name": NAMES[kind]})
        keystone.execute("insert into service(id, type, enabled, extra) values(?, ?, 1, ?)", (service, kind, extra))
    keystone.execute("delete from endpoint where service_id=?", (service,))
    for interface in ("public", "internal", "admin"):
        keystone.execute(
            "insert into endpoint(id, interface, service_id, url, extra, enabled, region_id)"
            " values(?, ?, ?, ?, '{}', 1, 'RegionOne')",
            (uuid.uuid4().hex, interface, service, url),
        )


def _administrator(keystone, password):
    """Set the password, and let the user pass on other users' tokens, as the services do."""
    local, user = keystone.execute("select id, user_id from local_user where name='admin'").fetchone()
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    keystone.execute("update password set password_hash=? where local_user_id=?", (hashed, local))
    (project,) = keystone.execute("select id from project where name='admin'").fetchone()
    (role,) = keystone.execute("select id from role where name='service'").fetchone()
    keystone.execute(
        "insert or ignore into assignment(type, actor_id, target_id, role_id, inherited)"
        " values('UserProject', ?, ?, ?, 0)",
        (user, project, role),
    )


main(Path(sys.argv[1]), **json.load(sys.stdin))
