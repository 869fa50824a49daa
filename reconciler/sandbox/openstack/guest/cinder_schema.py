"""cinder_schema.py CONFIGURATION: makes Cinder's database, with the volume types that the cloud offers."""

import sys

from cinder import context, objects, rpc
from cinder.common import config  # noqa: F401 - registers the options
from cinder.db import migration
from cinder.volume import volume_types
from oslo_config import cfg

TYPES = {"ssd": "fast", "hdd": "large"}


def main(configuration):
    cfg.CONF(["--config-file", configuration], project="cinder")
    objects.register_all()
    migration.db_sync()
    rpc.init(cfg.CONF)  # making a type sends a notification
    for name, description in TYPES.items():
        volume_types.create(context.get_admin_context(), name, {}, is_public=True, description=description)


main(sys.argv[1])
