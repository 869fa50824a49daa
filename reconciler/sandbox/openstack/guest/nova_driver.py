"""Nova's own fake hypervisor, made to survive a restart, to run several hosts in one process, and to give every server
a machine that answers: a file for the machines' daemon, and its address as the server's accessIPv4."""

import uuid

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.compute import power_state, vm_states
from nova.virt import fake
from oslo_config import cfg

from machine_files import MachineFiles, console_log

CONF = nova.conf.CONF
CONF.register_opts(
    [
        cfg.ListOpt("hosts", help="Names of the compute hosts"),
        cfg.ListOpt("wait_for", help="URLs that must answer before the hosts start"),
        cfg.StrOpt("machines", help="Folder of the machines' files"),
        cfg.StrOpt("machine_network", help="Range of the machines' addresses"),
    ],
    group="sandbox",
)
GPUS = "CUSTOM_GPU"
GPUS_PER_HOST = 8
_HAVE_NO_MACHINE = (vm_states.DELETED, vm_states.SOFT_DELETED, vm_states.BUILDING, vm_states.SHELVED_OFFLOADED)


class MachineDriver(fake.FakeDriver):
    """One compute host."""

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self._machines = MachineFiles(CONF.sandbox.machines, CONF.sandbox.machine_network)

    def init_host(self, host):
        """The stock driver forgets its instances and then fails the start of those that are not there."""
        super().init_host(host)
        self.host_status_base["hypervisor_hostname"] = host
        context = nova_context.get_admin_context()
        for instance in objects.InstanceList.get_by_host(context, host, expected_attrs=["flavor", "info_cache"]):
            if instance.vm_state not in _HAVE_NO_MACHINE:
                self._remember(instance)

    def _remember(self, instance):
        known = instance.power_state not in (None, power_state.NOSTATE)
        state = instance.power_state if known else power_state.RUNNING
        self.resources.claim(instance.flavor.vcpus, instance.flavor.memory_mb, instance.flavor.root_gb)
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)
        for vif in instance.info_cache.network_info or []:
            self._interfaces[vif["id"]] = vif
        if self._add(instance, on=state == power_state.RUNNING):
            instance.save()

    def _add(self, instance, on):
        """Write the machine's file; return whether the server's address had to be changed."""
        address = self._machines.add(
            instance.uuid,
            wanted_address=instance.access_ip_v4 and str(instance.access_ip_v4),
            name=instance.display_name,
            authorized_keys=[instance.key_data.strip()] if instance.key_data else [],
            power="on" if on else "off",
            metadata=dict(instance.metadata),
        )
        changed = str(instance.access_ip_v4) != address
        instance.access_ip_v4 = address
        return changed

    def spawn(self, context, instance, *args, power_on=True, **kwargs):
        super().spawn(context, instance, *args, power_on=power_on, **kwargs)
        self._add(instance, power_on)  # the manager saves the instance right after

    def destroy(self, context, instance, *args, **kwargs):
        self._machines.remove(instance.uuid)
        super().destroy(context, instance, *args, **kwargs)

    def confirm_migration(self, context, migration, instance, network_info):
        """After a resize the old host forgets the guest; its machine runs on behind the new one."""
        if migration.source_compute != migration.dest_compute:
            super().destroy(context, instance, network_info)

    def power_off(self, instance, *args, **kwargs):
        super().power_off(instance, *args, **kwargs)
        self._machines.change(instance.uuid, power="off")

    def power_on(self, context, instance, *args, **kwargs):
        super().power_on(context, instance, *args, **kwargs)
        self._machines.change(instance.uuid, power="on")

    def reboot(self, context, instance, *args, **kwargs):
        super().reboot(context, instance, *args, **kwargs)
        self._machines.reboot(instance.uuid)

    def get_console_output(self, context, instance):
        return console_log(CONF.sandbox.machines, instance.uuid)

    def get_available_resource(self, nodename):
        return super().get_available_resource(nodename) | {"uuid": _node_uuid(nodename)}

    def get_nodenames_by_uuid(self, refresh=False):
        """Stable over restarts: Nova refuses to start a host whose node has another uuid than last time."""
        return {_node_uuid(node): node for node in self._nodes}

    def update_provider_tree(self, provider_tree, nodename, allocations=None):
        super().update_provider_tree(provider_tree, nodename, allocations)
        inventory = provider_tree.data(nodename).inventory
        gpus = {"total": GPUS_PER_HOST, "min_unit": 1, "max_unit": GPUS_PER_HOST, "step_size": 1}
        provider_tree.update_inventory(nodename, inventory | {GPUS: gpus | {"allocation_ratio": 1.0, "reserved": 0}})


def forget_deleted_machines():
    """Called once, before the hosts start."""
    living = objects.InstanceList.get_by_filters(nova_context.get_admin_context(), {"deleted": False})
    files = MachineFiles(CONF.sandbox.machines, CONF.sandbox.machine_network)
    files.keep_only({instance.uuid for instance in living})


def _node_uuid(node):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"sandbox.{node}"))
