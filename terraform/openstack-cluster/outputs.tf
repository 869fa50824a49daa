output "addresses" {
  description = "Where each server is reached: its floating IP if it has one, else its address in the cluster's network."
  value = {
    for name, server in openstack_compute_instance_v2.server :
    name => try(openstack_networking_floatingip_v2.server[name].address, coalesce(server.access_ip_v4, server.access_ip_v6), "")
  }
}
