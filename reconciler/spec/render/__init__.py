"""The model in the tools' own shapes: OpenStack resources, Terraform variables, an inventory, Kubernetes objects."""
