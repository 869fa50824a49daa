# One address for the Kubernetes APIs of all control-plane servers.
resource "openstack_lb_loadbalancer_v2" "api" {
  count = var.api_load_balancer == null ? 0 : 1

  name                  = var.cluster
  description           = var.tag
  vip_subnet_id         = local.ipv4_subnet_id
  loadbalancer_provider = var.api_load_balancer.provider
  admin_state_up        = true
  tags                  = [var.tag]

  # Its floating IP needs a way out, and its subnet can't go while it is there.
  depends_on = [openstack_networking_router_interface_v2.cluster]
}

resource "openstack_lb_pool_v2" "api" {
  count = var.api_load_balancer == null ? 0 : 1

  name            = var.cluster
  description     = var.tag
  loadbalancer_id = openstack_lb_loadbalancer_v2.api[0].id
  protocol        = "TCP"
  lb_method       = var.api_load_balancer.algorithm
  admin_state_up  = true

  lifecycle {
    # An import reads one of them, whichever it likes, and the other one then replaces the pool.
    ignore_changes       = [listener_id, loadbalancer_id]
    replace_triggered_by = [openstack_lb_loadbalancer_v2.api[0].id]
  }
}

resource "openstack_lb_listener_v2" "api" {
  count = var.api_load_balancer == null ? 0 : 1

  name            = var.cluster
  description     = var.tag
  loadbalancer_id = openstack_lb_loadbalancer_v2.api[0].id
  default_pool_id = openstack_lb_pool_v2.api[0].id
  protocol        = "TCP"
  protocol_port   = var.api_load_balancer.port
  allowed_cidrs   = var.api_load_balancer.allowed_cidrs
  admin_state_up  = true
  tags            = [var.tag]
}

resource "openstack_lb_monitor_v2" "api" {
  count = var.api_load_balancer == null ? 0 : 1

  name           = var.cluster
  pool_id        = openstack_lb_pool_v2.api[0].id
  type           = var.api_load_balancer.monitor.type
  delay          = var.api_load_balancer.monitor.delay
  timeout        = var.api_load_balancer.monitor.timeout
  max_retries    = var.api_load_balancer.monitor.max_retries
  admin_state_up = true
}

resource "openstack_lb_member_v2" "api" {
  for_each = var.api_load_balancer == null ? {} : var.api_load_balancer.members

  name           = each.key
  pool_id        = openstack_lb_pool_v2.api[0].id
  subnet_id      = local.ipv4_subnet_id
  address        = [for ip in openstack_networking_port_v2.server[each.key].all_fixed_ips : ip if !strcontains(ip, ":")][0]
  protocol_port  = var.api_load_balancer.port
  weight         = each.value
  admin_state_up = true
}
