# Inputs that only Google Cloud has. Each has a default.

variable "gcp_billing_account" {
  description = "Billing account of the project. Needed with alerts.monthly_budget."
  type        = string
  default     = null
}

variable "gcp_manage_services" {
  description = "Whether the APIs that are needed are turned on. They are never turned off again."
  type        = bool
  default     = true
  nullable    = false
}
