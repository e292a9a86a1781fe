# Inputs that only Azure has. Each has a default.

variable "azure_resource_group_name" {
  description = "Existing resource group. null makes one."
  type        = string
  default     = null
}

variable "azure_cluster_vm_size" {
  description = "Size of the machines in the compute cluster."
  type        = string
  default     = "Standard_DS3_v2"
  nullable    = false
}

variable "azure_registry_sku" {
  description = "Tier of the container registry. Premium adds private endpoints and removes untagged images by itself, and costs more."
  type        = string
  default     = "Standard"
  nullable    = false

  validation {
    condition     = contains(["Standard", "Premium"], var.azure_registry_sku)
    error_message = "azure_registry_sku must be Standard or Premium."
  }
}

variable "azure_public_network_access" {
  description = "Whether workspace, storage and vault answer on public addresses, behind Entra ID. false needs private endpoints, which are not made here."
  type        = bool
  default     = true
  nullable    = false
}

variable "azure_budget_start" {
  description = "First day of the month that the budget begins in, as 2026-01-01T00:00:00Z. Needed with alerts.monthly_budget; a date that moved would change the plan every month."
  type        = string
  default     = null
}
