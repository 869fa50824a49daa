locals {
  # What others are put into has to be there first: a namespace, or the project OpenShift makes one of.
  namespaces = { for key, yaml in var.manifests : key => yaml if contains(["Namespace", "Project"], split("/", key)[0]) }
  objects    = { for key, yaml in var.manifests : key => yaml if !contains(keys(local.namespaces), key) }
}

resource "kubectl_manifest" "namespace" {
  for_each = local.namespaces

  yaml_body         = each.value
  server_side_apply = true
  force_conflicts   = true

  # A namespace may hold what other people put there: leaving the YAML must not take all of that along.
  apply_only = true
}

resource "kubectl_manifest" "object" {
  for_each = local.objects

  yaml_body         = each.value
  server_side_apply = true # the provider's field manager is "kubectl"
  force_conflicts   = true # somebody's change by hand is drift, and taken back
  wait_for_rollout  = true # of Deployments

  depends_on = [kubectl_manifest.namespace]
}
