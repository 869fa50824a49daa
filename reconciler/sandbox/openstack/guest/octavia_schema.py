"""octavia_schema.py CONFIGURATION: makes Octavia's database.

Its migrations can't run on SQLite, so the tables are made from the models, and the words that the migrations would
have inserted come from the constants.
"""

import sys

import sqlalchemy as sa
from octavia.common import config, constants
from octavia.db import base_models, models
from oslo_config import cfg

WORDS = {
    models.ProvisioningStatus: constants.SUPPORTED_PROVISIONING_STATUSES,
    models.OperatingStatus: constants.SUPPORTED_OPERATING_STATUSES,
    models.Protocol: constants.SUPPORTED_PROTOCOLS,
    models.Algorithm: constants.SUPPORTED_LB_ALGORITHMS,
    models.AmphoraRoles: constants.SUPPORTED_AMPHORA_ROLES,
    models.LBTopology: constants.SUPPORTED_LB_TOPOLOGIES,
    models.SessionPersistenceType: constants.SUPPORTED_SP_TYPES,
    models.HealthMonitorType: constants.SUPPORTED_HEALTH_MONITOR_TYPES,
    models.VRRPAuthMethod: constants.SUPPORTED_VRRP_AUTH,
    models.L7RuleType: constants.SUPPORTED_L7RULE_TYPES,
    models.L7RuleCompareType: constants.SUPPORTED_L7RULE_COMPARE_TYPES,
    models.L7PolicyAction: constants.SUPPORTED_L7POLICY_ACTIONS,
    models.ClientAuthenticationMode: constants.SUPPORTED_CLIENT_AUTH_MODES,
}


def main(configuration):
    config.init(["--config-file", configuration])
    engine = sa.create_engine(cfg.CONF.database.connection)
    base_models.BASE.metadata.create_all(engine)
    with engine.begin() as connection:
        for model, words in WORDS.items():
            connection.execute(sa.insert(model), [{"name": word} for word in words])


main(sys.argv[1])
