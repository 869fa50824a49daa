terraform {
  required_version = ">= 1.6.0"

  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
      # Only resources that 1.54 and 3.x share are used: 3.0 removed floating IPs and security groups of Nova's kind.
      version = ">= 1.54.1, < 4.0.0"
    }
  }
}

# Credentials are read from clouds.yaml (OS_CLIENT_CONFIG_FILE), so that neither the plan nor the state holds any.
provider "openstack" {
  cloud = var.cloud
}
