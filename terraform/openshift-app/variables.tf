
variable "manifests" {
  description = "Manifests as YAML, one object each, by Kind/namespace/name (the namespace is empty for cluster-wide kinds)."
  type        = map(string)
}

variable "kubeconfig" {
  description = "Path of the kubeconfig to log in with."
  type        = string
}

variable "context" {
  description = "The kubeconfig's context to use; null for its current one."
  type        = string
  default     = null
}
