data "openstack_networking_network_v2" "external" {
  name     = var.external_network
  external = true
}

# What somebody else made and keeps is only looked up.
data "openstack_networking_network_v2" "existing" {
  count = 1 - local.own_network

  name = var.existing_network
}

data "openstack_networking_subnet_v2" "existing" {
  count = var.existing_subnet == null ? 0 : 1

  name       = var.existing_subnet
  network_id = data.openstack_networking_network_v2.existing[0].id
}

data "openstack_networking_subnet_v2" "existing_ipv6" {
  count = var.existing_ipv6_subnet == null ? 0 : 1

  name       = var.existing_ipv6_subnet
  network_id = data.openstack_networking_network_v2.existing[0].id
}

data "openstack_networking_router_v2" "existing" {
  count = var.existing_router == null ? 0 : 1

  name = var.existing_router
}

locals {
  own_network = var.existing_network == null ? 1 : 0
  own_router  = var.existing_network == null && var.existing_router == null ? 1 : 0
  network_id  = local.own_network == 1 ? openstack_networking_network_v2.cluster[0].id : data.openstack_networking_network_v2.existing[0].id
  router_id   = one(concat(openstack_networking_router_v2.cluster[*].id, data.openstack_networking_router_v2.existing[*].id))

  # A family that the cluster does not have is null.
  ipv4_subnet_id = one(concat(openstack_networking_subnet_v2.cluster[*].id, data.openstack_networking_subnet_v2.existing[*].id))
  ipv6_subnet_id = one(concat(openstack_networking_subnet_v2.ipv6[*].id, data.openstack_networking_subnet_v2.existing_ipv6[*].id))
}

# The provider sets tags seconds after it made something. The description is there from the first moment: it tells whose
# a resource is that was made just before a run was killed.
resource "openstack_networking_network_v2" "cluster" {
  count = local.own_network

  name           = var.cluster
  description    = var.tag
  admin_state_up = true # left out, the provider would take over whatever it is
  tags           = [var.tag]
}

resource "openstack_networking_subnet_v2" "cluster" {
  count = local.own_network == 1 && var.cidr != null ? 1 : 0

  name            = var.cluster
  description     = var.tag
  network_id      = openstack_networking_network_v2.cluster[0].id
  cidr            = var.cidr
  dns_nameservers = var.dns_servers
  enable_dhcp     = true
  tags            = [var.tag]
}

resource "openstack_networking_subnet_v2" "ipv6" {
  count = local.own_network == 1 && var.ipv6 != null ? 1 : 0

  name              = "${var.cluster}.ipv6"
  description       = var.tag
  network_id        = openstack_networking_network_v2.cluster[0].id
  ip_version        = 6
  cidr              = var.ipv6.cidr
  ipv6_address_mode = var.ipv6.address_mode
  ipv6_ra_mode      = var.ipv6.ra_mode
  dns_nameservers   = var.ipv6.dns_servers
  enable_dhcp       = true
  tags              = [var.tag]
}

resource "openstack_networking_router_v2" "cluster" {
  count = local.own_router

  name                = var.cluster
  description         = var.tag
  external_network_id = data.openstack_networking_network_v2.external.id
  admin_state_up      = true
  tags                = [var.tag]
}

resource "openstack_networking_router_interface_v2" "cluster" {
  count = local.own_network == 1 && var.cidr != null ? 1 : 0

  router_id = local.router_id
  subnet_id = openstack_networking_subnet_v2.cluster[0].id
}

resource "openstack_networking_router_interface_v2" "ipv6" {
  count = local.own_network == 1 && var.ipv6 != null ? 1 : 0

  router_id = local.router_id
  subnet_id = openstack_networking_subnet_v2.ipv6[0].id
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
  port_id     = each.key == var.cluster ? openstack_lb_loadbalancer_v2.api[0].vip_port_id : openstack_networking_port_v2.server[each.key].id

  # Neutron refuses a floating IP whose subnet no router reaches, and refuses to detach a router that one still uses.
  depends_on = [openstack_networking_router_interface_v2.cluster]
}
