# This file is the same, byte for byte, in every cloud module; a test compares them.

output "contract_version" {
  description = "Version of the output contract that `cloudml init --from-terraform` reads."
  value       = module.contract.profile.contract_version
}

output "profile" {
  description = "Everything that `cloudml init --from-terraform` makes a target from. Holds no secret."
  value       = module.contract.profile
}

output "storage_uri" {
  description = "Address under which the adapter keeps artifacts."
  value       = module.contract.profile.storage.uri
}

output "container_registry_url" {
  description = "Repository that container images are pushed to and pulled from."
  value       = module.contract.profile.container_registry.url
}

output "adapter_identity" {
  description = "Identity that people and CI act as when they run cloudml."
  value       = module.contract.profile.identities.adapter.id
}

output "execution_identity" {
  description = "Identity that jobs and endpoints run as."
  value       = module.contract.profile.identities.execution.id
}

output "alert_channel" {
  description = "Where alerts are sent: an SNS topic, an action group or a notification channel."
  value       = module.contract.profile.monitoring.alert_channel
}
