"""Neutron without agents: what an agent would report after plugging (ports, floating IPs: ACTIVE) is true at once."""

from neutron.plugins.ml2 import managers
from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api
from stevedore import extension


class NoAgentMechanismDriver(api.MechanismDriver):
    """Binds every port that has a host to its first segment."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self):
        pass

    def bind_port(self, context):
        details = {
            portbindings.CAP_PORT_FILTER: True,
            portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
        }
        segment = context.segments_to_bind[0]
        status = constants.PORT_STATUS_ACTIVE
        context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, details, status=status)


class NoAgentL3Plugin(l3_router_plugin.L3RouterPlugin):
    """Routers whose ports and floating IPs need no L3 agent."""

    # Neutron looks for these two by this class's own mangled names
    __native_pagination_support = True
    __native_sorting_support = True

    def create_floatingip(self, context, floatingip):
        return self._settle(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context, id, floatingip):
        return self._settle(context, super().update_floatingip(context, id, floatingip))

    def create_router(self, context, router):
        made = super().create_router(context, router)
        self._settle_ports(context, made["id"])
        return made

    def update_router(self, context, id, router):
        updated = super().update_router(context, id, router)
        self._settle_ports(context, id)
        return updated

    def add_router_interface(self, context, router_id, interface_info=None):
        added = super().add_router_interface(context, router_id, interface_info)
        self._settle_ports(context, router_id)
        return added

    def _settle(self, context, floating_ip):
        up = floating_ip.get("port_id")
        status = constants.FLOATINGIP_STATUS_ACTIVE if up else constants.FLOATINGIP_STATUS_DOWN
        if floating_ip.get("status") != status:
            self.update_floatingip_status(context, floating_ip["id"], status)
            floating_ip["status"] = status
        return floating_ip

    def _settle_ports(self, context, router_id):
        plugin, admin = directory.get_plugin(), context.elevated()
        for port in plugin.get_ports(admin, filters={"device_id": [router_id]}):
            if port["status"] == constants.PORT_STATUS_DOWN:
                plugin.update_port_status(admin, port["id"], constants.PORT_STATUS_ACTIVE)


def _register_ours(manager):
    """Drivers are found by the metadata of installed packages; ours is in none."""
    ours = extension.Extension("no_agent", None, NoAgentMechanismDriver, NoAgentMechanismDriver())
    manager.mech_drivers[ours.name] = ours
    manager.ordered_mech_drivers.append(ours)


managers.MechanismManager._register_mechanisms = _register_ours
