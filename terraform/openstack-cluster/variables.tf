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
  description = "The address range of the cluster's own subnet."
  type        = string
  default     = null
}

variable "existing_network" {
  description = "Name of a network to use in the place of one of the cluster's own."
  type        = string
  default     = null
}

variable "existing_subnet" {
  description = "Name of the subnet of existing_network to use."
  type        = string
  default     = null
}

variable "ipv6" {
  description = "The cluster's own IPv6 subnet, null for none; the modes are Neutron's ipv6_address_mode and ipv6_ra_mode."
  type = object({
    cidr         = string
    address_mode = string
    ra_mode      = string
    dns_servers  = list(string)
  })
  default = null
}

variable "existing_ipv6_subnet" {
  description = "Name of the IPv6 subnet of existing_network to use, null for none."
  type        = string
  default     = null
}

variable "existing_router" {
  description = "Name of a router to connect the cluster's own subnet to, in the place of one of its own."
  type        = string
  default     = null
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

variable "foreign_security_groups" {
  description = "Names of groups that exist already and that some servers join."
  type        = list(string)
  default     = []
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
  description = "Servers by name; flavor, image, server_group and security_groups are names, and with an image_id or a flavor_id no name is looked up; one that is held gets a port and is not made; a boot_volume (size in GiB) is the root disk in the place of the flavor's; allowed_addresses are networks it may send from."
  type = map(object({
    flavor            = string
    image             = string
    flavor_id         = optional(string)
    image_id          = optional(string)
    held              = optional(bool, false)
    boot_volume       = optional(object({ size = number, type = optional(string) }))
    availability_zone = optional(string)
    server_group      = optional(string)
    security_groups   = list(string)
    allowed_addresses = optional(list(string), [])
    metadata          = map(string)
  }))
}

variable "floating_ips" {
  description = "Names of the servers that get a floating IP; the cluster's own name stands for its load balancer."
  type        = list(string)
}

variable "api_load_balancer" {
  description = "Octavia's load balancer before the Kubernetes APIs, null for none; members are the servers behind it with their weights."
  type = object({
    provider      = string
    port          = number
    allowed_cidrs = list(string)
    algorithm     = string
    monitor       = object({ type = string, delay = number, timeout = number, max_retries = number })
    members       = map(number)
  })
  default = null
}
