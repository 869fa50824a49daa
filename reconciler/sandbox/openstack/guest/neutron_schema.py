"""neutron_schema.py URL: makes Neutron's schema in an empty database.

Its migrations can't run on SQLite, so the tables are made from the models, what a migration would have inserted (the
default rules of security groups) is taken from that migration, and the result is stamped as the newest revision.
"""

import importlib.util
import sys
from pathlib import Path

import neutron
import sqlalchemy as sa
from neutron.db.migration.models import head

VERSIONS = Path(neutron.__file__).parent / "db/migration/alembic_migrations/versions"


def main(url):
    metadata = head.get_metadata()
    engine = sa.create_engine(url)
    metadata.create_all(engine)
    with engine.begin() as connection:
        _default_rules(connection, metadata)
        _stamp(connection)


def _default_rules(connection, metadata):
    (path,) = VERSIONS.glob("2023.2/expand/c33da356b165_*.py")
    spec = importlib.util.spec_from_file_location("default_rules", path)
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    for rule in migration.default_template_rules:
        fields = dict(rule)
        attributes = sa.insert(migration.standardattr).values(
            description=fields.pop("description"), resource_type=migration.table_name
        )
        fields["standard_attr_id"] = connection.execute(attributes).inserted_primary_key[0]
        connection.execute(sa.insert(metadata.tables[migration.table_name]).values(**fields))


def _stamp(connection):
    connection.execute(sa.text("create table alembic_version (version_num varchar(32) primary key)"))
    for name in ("EXPAND_HEAD", "CONTRACT_HEAD"):
        revision = (VERSIONS / name).read_text().strip()
        connection.execute(sa.text("insert into alembic_version values (:v)"), {"v": revision})


main(sys.argv[1])
