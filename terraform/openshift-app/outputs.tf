output "objects" {
  description = "Keys of the objects this application consists of."
  value       = sort(keys(var.manifests))
}
