resource "openstack_compute_keypair_v2" "cluster" {
  name       = var.cluster
  public_key = trimspace(var.public_key)
}

resource "openstack_networking_secgroup_v2" "group" {
  for_each = var.security_groups

  name        = each.key
  description = each.value.description
  tags        = [var.tag]

  # Neutron's own two egress rules go, so that `rules` is the whole truth.
  delete_default_rules = true

  lifecycle {
    # Means something while a group is created only. An import can't read it, and setting it later replaces the group.
    ignore_changes = [delete_default_rules]
  }
}

data "openstack_networking_secgroup_v2" "foreign" {
  for_each = toset(var.foreign_security_groups)

  name = each.key
}

locals {
  security_groups = merge(
    { for name, group in openstack_networking_secgroup_v2.group : name => group.id },
    { for name, group in data.openstack_networking_secgroup_v2.foreign : name => group.id },
  )
}

resource "openstack_networking_secgroup_rule_v2" "rule" {
  for_each = var.rules

  security_group_id = openstack_networking_secgroup_v2.group[each.value.security_group].id
  direction         = each.value.direction
  ethertype         = each.value.ethertype
  protocol          = each.value.protocol
  port_range_min    = each.value.port_min
  port_range_max    = each.value.port_max
  remote_ip_prefix  = each.value.remote_ip_prefix
  remote_group_id   = each.value.remote_group == null ? null : openstack_networking_secgroup_v2.group[each.value.remote_group].id
}
