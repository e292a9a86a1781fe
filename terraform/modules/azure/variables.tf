# This file is the same, byte for byte, in every cloud module; a test compares them.
# Inputs that only one cloud has are in variables_<cloud>.tf and always have a default.

variable "name" {
  description = "Name of the project, as `project:` in cloudml.yaml has it. Projects called this, or this and a hyphen and more, may use the platform."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 16 lower-case letters, digits and single hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "environment" {
  description = "Stage that this platform serves: dev, test, staging or prod."
  type        = string
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "test", "staging", "prod"], var.environment)
    error_message = "environment must be dev, test, staging or prod."
  }
}

variable "account_id" {
  description = "The AWS account, Azure subscription or Google Cloud project that may be changed. On AWS and Azure planning stops where the credentials belong to another."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region for every regional resource, as the cloud spells it (eu-west-1, westeurope, europe-west1)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]+$", var.region))
    error_message = "region must be a cloud region name in lower case."
  }
}

variable "tags" {
  description = "Tags or labels for every resource that takes them. Keys and values must suit all three clouds: lower case letters, digits, hyphens and underscores."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for k, v in var.tags : can(regex("^[a-z][a-z0-9_-]{0,62}$", k)) && can(regex("^[a-z0-9_-]{0,63}$", v))])
    error_message = "tags must use lower-case letters, digits, hyphens and underscores only, at most 63 characters, with keys that begin with a letter."
  }
}

variable "storage_prefix" {
  description = "Folder in the bucket or container that cloudml and its jobs may read and write. They may touch nothing outside it."
  type        = string
  default     = "cloudml"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9/_-]*[a-z0-9]$", var.storage_prefix))
    error_message = "storage_prefix must be a relative path without a leading or trailing slash."
  }
}

variable "model_groups" {
  description = "Models whose groups in the registry are made ahead of time, where the cloud has groups. cloudml makes the others when it needs them."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "adapter_principals" {
  description = "Who may act as the adapter: ARNs of AWS principals, Entra object IDs, or Google members such as group:ml@example.com. Somebody must be named in staging and prod, here or in ci_federation."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for p in var.adapter_principals : !strcontains(p, "*") && !contains(["allUsers", "allAuthenticatedUsers"], p)])
    error_message = "adapter_principals must name principals: no wildcard and no public group."
  }
  validation {
    condition     = !contains(["staging", "prod"], var.environment) || length(var.adapter_principals) > 0 || var.ci_federation != null
    error_message = "In staging and prod say who may act as the adapter: adapter_principals, ci_federation or both."
  }
}

variable "ci_federation" {
  description = "OpenID Connect trust for a CI system, in place of keys that live long. Subjects are exact: no wildcard."
  type = object({
    issuer   = string
    audience = string
    subjects = list(string)
  })
  default = null

  validation {
    condition     = var.ci_federation == null ? true : startswith(var.ci_federation.issuer, "https://") && length(var.ci_federation.subjects) > 0 && alltrue([for s in var.ci_federation.subjects : !strcontains(s, "*")])
    error_message = "ci_federation needs an https issuer and at least one exact subject."
  }
}

variable "encryption" {
  description = "Encryption at rest. customer_managed: with a key of one's own, and not the cloud's; key_id: an existing key, else one is made."
  type = object({
    customer_managed     = optional(bool, true)
    key_id               = optional(string)
    rotation_days        = optional(number, 365)
    deletion_window_days = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.encryption.rotation_days >= 90 && var.encryption.rotation_days <= 730 && var.encryption.deletion_window_days >= 7 && var.encryption.deletion_window_days <= 30
    error_message = "rotation_days must be 90 to 730 and deletion_window_days 7 to 30."
  }
}

variable "network" {
  description = "Private network for jobs and endpoints. enabled makes one, or uses network_id and subnet_ids where they are given."
  type = object({
    enabled    = optional(bool, false)
    cidr       = optional(string, "10.60.0.0/20")
    network_id = optional(string)
    subnet_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(cidrhost(var.network.cidr, 0)) && (var.network.network_id == null) == (length(var.network.subnet_ids) == 0)
    error_message = "network.cidr must be a CIDR block, and network_id and subnet_ids must be given together."
  }
}

variable "retention" {
  description = "How long data is kept, in days (keep_images is a number of images). Less costs less."
  type = object({
    noncurrent_versions_days = optional(number, 30)
    temporary_days           = optional(number, 7)
    captured_requests_days   = optional(number, 30)
    logs_days                = optional(number, 30)
    untagged_images_days     = optional(number, 14)
    keep_images              = optional(number, 20)
    soft_delete_days         = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for v in values(var.retention) : v >= 1]) && contains([30, 60, 90, 120, 180, 365], var.retention.logs_days) && var.retention.soft_delete_days >= 7
    error_message = "Every retention must be at least 1, logs_days one of 30, 60, 90, 120, 180, 365, and soft_delete_days at least 7."
  }
}

variable "compute" {
  description = "Ceilings for machines. allowed_instance_types: empty allows all. min_nodes above 0 keeps machines running, which costs by the hour."
  type = object({
    allowed_instance_types = optional(list(string), [])
    min_nodes              = optional(number, 0)
    max_nodes              = optional(number, 4)
    idle_minutes           = optional(number, 15)
    interruptible          = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.compute.min_nodes >= 0 && var.compute.max_nodes >= max(1, var.compute.min_nodes) && var.compute.idle_minutes >= 2 && var.compute.idle_minutes <= 120
    error_message = "min_nodes must be 0 or more, max_nodes at least 1 and not below min_nodes, idle_minutes 2 to 120."
  }
}

variable "alerts" {
  description = "Who is told of failures and spending. monthly_budget is in the account's currency; null makes none."
  type = object({
    emails         = optional(list(string), [])
    monthly_budget = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for e in var.alerts.emails : can(regex("^[^@\\s]+@[^@\\s]+[.][^@\\s]+$", e))])
    error_message = "alerts.emails must be mail addresses."
  }
}

variable "request_logging" {
  description = "Whether a place for captured requests and answers of endpoints is prepared."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether stores that hold data refuse to be destroyed while they are not empty."
  type        = bool
  default     = true
  nullable    = false
}
