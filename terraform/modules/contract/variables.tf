variable "profile" {
  description = "What cloudml must know about the platform. The type is the contract: the module of every cloud passes its facts through it."
  nullable    = false
  type = object({
    contract_version = optional(string, "1")
    provider         = string
    name             = string
    environment      = string
    region           = string
    account = object({
      id        = string
      tenant_id = optional(string)
    })
    storage = object({
      uri      = string
      bucket   = string
      prefix   = string
      endpoint = optional(string)
    })
    encryption = object({
      customer_managed = bool
      key_id           = optional(string)
    })
    container_registry = object({
      host       = string
      repository = string
      url        = string
    })
    identities = object({
      adapter = object({
        id        = string
        principal = string
        client_id = optional(string)
      })
      execution = object({
        id        = string
        principal = string
        client_id = optional(string)
      })
    })
    model_registry = object({
      kind   = string
      groups = map(string)
    })
    compute = object({
      target                 = optional(string)
      allowed_instance_types = list(string)
      min_nodes              = number
      max_nodes              = number
      idle_minutes           = number
    })
    network = object({
      enabled            = bool
      network_id         = optional(string)
      subnet_ids         = optional(list(string), [])
      security_group_ids = optional(list(string), [])
    })
    logging = object({
      destination     = string
      retention_days  = number
      request_log_uri = optional(string)
    })
    monitoring = object({
      metric_namespace = string
      alert_channel    = optional(string)
    })
    tags     = map(string)
    settings = optional(map(string), {})
  })

  validation {
    condition     = contains(["aws", "azure", "gcp"], var.profile.provider)
    error_message = "provider must be aws, azure or gcp."
  }
  validation {
    condition     = can(regex("^(s3|gs|abfss)://[^/]+/.+[^/]$", var.profile.storage.uri))
    error_message = "storage.uri must be an s3://, gs:// or abfss:// address that ends with the prefix and no slash."
  }
  validation {
    condition     = endswith(var.profile.storage.uri, "/${var.profile.storage.prefix}")
    error_message = "storage.uri must end with storage.prefix."
  }
  validation {
    condition     = var.profile.identities.adapter.id != var.profile.identities.execution.id
    error_message = "The adapter and the execution identity must be different identities."
  }
}
