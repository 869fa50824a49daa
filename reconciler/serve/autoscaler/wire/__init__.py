"""The wire contract with Cluster Autoscaler: two .proto files of ours, and what `make proto` makes of them."""
