variable "cloud" {
  description = "Name of the cloud in clouds.yaml."
  type        = string
}

variable "cluster" {
  description = "Name of the cluster; the network, subnet, router and keypair are named after it."
  type        = string
}

variable "tag" {
  description = "Tag carried by everything in Neutron that belongs to the cluster."
  type        = string
}

variable "external_network" {
  description = "Name of the external network: the router's gateway and the pool of floating IPs."
  type        = string
}

variable "cidr" {
  description = "The subnet's address range."
  type        = string
}

variable "dns_servers" {
  description = "Addresses of the DNS servers that the subnet hands out."
  type        = list(string)
}

variable "public_key" {
  description = "SSH public key that may log in to every server, as in an authorized_keys file."
  type        = string
}

variable "server_groups" {
  description = "Server groups by name; the policy is Nova's, such as soft-anti-affinity."
  type        = map(object({ policy = string }))
}

variable "security_groups" {
  description = "Security groups by name."
  type        = map(object({ description = string }))
}

variable "rules" {
  description = "Every security group rule by name; a peer is either remote_ip_prefix or remote_group (a name of security_groups)."
  type = map(object({
    security_group   = string
    direction        = string
    ethertype        = string
    protocol         = optional(string)
    port_min         = optional(number)
    port_max         = optional(number)
    remote_ip_prefix = optional(string)
    remote_group     = optional(string)
  }))
}

variable "servers" {
  description = "Servers by name; flavor, image, server_group and security_groups are names."
  type = map(object({
    flavor            = string
    image             = string
    availability_zone = optional(string)
    server_group      = string
    security_groups   = list(string)
    metadata          = map(string)
  }))
}

variable "floating_ips" {
  description = "Names of the servers that get a floating IP."
  type        = list(string)
}
