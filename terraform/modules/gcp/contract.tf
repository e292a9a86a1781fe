module "contract" {
  source = "../contract"

  profile = {
    provider    = "gcp"
    name        = var.name
    environment = var.environment
    region      = var.region
    account     = { id = var.account_id }
    storage = {
      uri    = "gs://${google_storage_bucket.this.name}/${var.storage_prefix}"
      bucket = google_storage_bucket.this.name
      prefix = var.storage_prefix
    }
    encryption = {
      customer_managed = var.encryption.customer_managed
      key_id           = local.key_id
    }
    container_registry = {
      host       = "${var.region}-docker.pkg.dev"
      repository = google_artifact_registry_repository.this.repository_id
      url        = "${var.region}-docker.pkg.dev/${var.account_id}/${google_artifact_registry_repository.this.repository_id}"
    }
    identities = {
      adapter   = { id = google_service_account.this["adapter"].email, principal = google_service_account.this["adapter"].member, client_id = google_service_account.this["adapter"].unique_id }
      execution = { id = google_service_account.this["execution"].email, principal = google_service_account.this["execution"].member, client_id = google_service_account.this["execution"].unique_id }
    }
    model_registry = {
      kind   = "vertex-model-registry"
      groups = { for model in var.model_groups : model => "${var.name}-${model}" }
    }
    compute = {
      allowed_instance_types = var.compute.allowed_instance_types
      min_nodes              = var.compute.min_nodes
      max_nodes              = var.compute.max_nodes
      idle_minutes           = var.compute.idle_minutes
    }
    network = {
      enabled    = var.network.enabled
      network_id = local.create_network ? google_compute_network.this[0].id : var.network.network_id
      subnet_ids = local.create_network ? google_compute_subnetwork.this[*].id : var.network.subnet_ids
    }
    logging = {
      destination     = google_logging_project_bucket_config.this.id
      retention_days  = var.retention.logs_days
      request_log_uri = var.request_logging ? "gs://${google_storage_bucket.this.name}/${local.captured}" : null
    }
    monitoring = {
      metric_namespace = "logging.googleapis.com/user/cloudml/${local.base}"
      alert_channel    = google_monitoring_notification_channel.topic.id
    }
    tags = local.own_labels
    settings = {
      project_number            = tostring(local.number)
      scheduler_service_account = google_service_account.this["scheduler"].email
    }
  }
}
