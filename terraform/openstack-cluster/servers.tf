# One lookup for every image and flavor that is known by its name only, however many servers use it. The reconciler
# hands over ids: a server runs on whose image was renamed or deleted since.
data "openstack_images_image_v2" "image" {
  for_each = toset([for server in var.servers : server.image if server.image_id == null && !server.held])

  name        = each.key
  most_recent = true # publishers upload new builds under the old name
}

data "openstack_compute_flavor_v2" "flavor" {
  for_each = toset([for server in var.servers : server.flavor if server.flavor_id == null && !server.held])

  name = each.key
}

locals {
  servers = { for name, server in var.servers : name => server if !server.held }
  images  = { for name, server in local.servers : name => server.image_id != null ? server.image_id : data.openstack_images_image_v2.image[server.image].id }
  flavors = { for name, server in local.servers : name => server.flavor_id != null ? server.flavor_id : data.openstack_compute_flavor_v2.flavor[server.flavor].id }
}

resource "openstack_compute_servergroup_v2" "group" {
  for_each = var.server_groups

  name     = each.key
  policies = [each.value.policy]
}

# A port of its own keeps a server's address when the server is made anew.
resource "openstack_networking_port_v2" "server" {
  for_each = var.servers

  name                  = each.key
  description           = var.tag
  network_id            = local.network_id
  security_group_ids    = [for name in each.value.security_groups : local.security_groups[name]]
  admin_state_up        = true
  port_security_enabled = true
  tags                  = [var.tag]

  # One address of each family. Which subnets there are is known before they are made, their ids are not.
  dynamic "fixed_ip" {
    for_each = concat(
      var.cidr != null || var.existing_subnet != null ? [local.ipv4_subnet_id] : [],
      var.ipv6 != null || var.existing_ipv6_subnet != null ? [local.ipv6_subnet_id] : [],
    )

    content {
      subnet_id = fixed_ip.value
    }
  }

  dynamic "allowed_address_pairs" {
    for_each = each.value.allowed_addresses

    content {
      ip_address = allowed_address_pairs.value
    }
  }

  lifecycle {
    # An import can't read it, and setting it again would make Neutron choose another address.
    ignore_changes = [fixed_ip]
  }
}

resource "openstack_compute_instance_v2" "server" {
  for_each = local.servers

  name              = each.key
  flavor_id         = local.flavors[each.key]
  image_id          = each.value.boot_volume == null ? local.images[each.key] : null
  availability_zone = each.value.availability_zone
  key_pair          = openstack_compute_keypair_v2.cluster.name
  metadata          = each.value.metadata

  network {
    port = openstack_networking_port_v2.server[each.key].id
  }

  # Nova makes the volume with the server and deletes it with it, so that a server made anew never finds an old disk.
  dynamic "block_device" {
    for_each = each.value.boot_volume == null ? [] : [each.value.boot_volume]

    content {
      uuid                  = local.images[each.key]
      source_type           = "image"
      destination_type      = "volume"
      volume_size           = block_device.value.size
      volume_type           = block_device.value.type
      boot_index            = 0
      delete_on_termination = true
    }
  }

  dynamic "scheduler_hints" {
    for_each = each.value.server_group == null ? [] : [each.value.server_group]

    content {
      group = openstack_compute_servergroup_v2.group[scheduler_hints.value].id
    }
  }

  lifecycle {
    ignore_changes = [
      # The provider would rebuild in place and empty the root disk, also when a new build of the same name was
      # uploaded. Another image is a new server: `-replace`, server by server.
      image_id,
      image_name,
      # Never read back, and its image is one more id that a new build changes.
      block_device,
      # Read by Nova's scheduler once; an import can't read it, and setting it later replaces the server.
      scheduler_hints,
      # After an import the port's id is missing here, and setting it replaces the server.
      network,
      # Only a choice of how to delete, which an import can't read.
      force_delete,
      stop_before_destroy,
    ]
  }

  # A server that boots before its way out exists can't fetch anything in its first minutes.
  depends_on = [
    openstack_networking_router_interface_v2.cluster,
    openstack_networking_router_interface_v2.ipv6,
  ]
}
