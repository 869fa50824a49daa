data "openstack_networking_network_v2" "external" {
  name     = var.external_network
  external = true
}

# The provider sets tags seconds after it made something. The description is there from the first moment: it tells whose
# a resource is that was made just before a run was killed.
resource "openstack_networking_network_v2" "cluster" {
  name        = var.cluster
  description = var.tag
  tags        = [var.tag]
}

resource "openstack_networking_subnet_v2" "cluster" {
  name            = var.cluster
  description     = var.tag
  network_id      = openstack_networking_network_v2.cluster.id
  cidr            = var.cidr
  dns_nameservers = var.dns_servers
  tags            = [var.tag]
}

resource "openstack_networking_router_v2" "cluster" {
  name                = var.cluster
  description         = var.tag
  external_network_id = data.openstack_networking_network_v2.external.id
  tags                = [var.tag]
}

resource "openstack_networking_router_interface_v2" "cluster" {
  router_id = openstack_networking_router_v2.cluster.id
  subnet_id = openstack_networking_subnet_v2.cluster.id
}

resource "openstack_networking_floatingip_v2" "server" {
  for_each = toset(var.floating_ips)

  pool        = var.external_network
  description = "${var.tag} ${each.key}"
  tags        = [var.tag]
}

resource "openstack_networking_floatingip_associate_v2" "server" {
  for_each = toset(var.floating_ips)

  floating_ip = openstack_networking_floatingip_v2.server[each.key].address
  port_id     = openstack_networking_port_v2.server[each.key].id

  # Neutron refuses a floating IP whose subnet no router reaches, and refuses to detach a router that one still uses.
  depends_on = [openstack_networking_router_interface_v2.cluster]
}
