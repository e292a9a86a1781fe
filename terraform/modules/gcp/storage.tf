resource "google_storage_bucket" "this" {
  project                     = var.account_id
  name                        = local.bucket_name
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  labels                      = local.labels

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.retention.soft_delete_days * 86400
  }

  dynamic "encryption" {
    for_each = var.encryption.customer_managed ? [local.key_id] : []

    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle_rule {
    condition {
      age            = var.retention.temporary_days
      matches_prefix = ["${var.storage_prefix}/tmp/"]
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      age            = var.retention.captured_requests_days
      matches_prefix = ["${local.captured}/"]
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      days_since_noncurrent_time = var.retention.noncurrent_versions_days
      with_state                 = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      age = 3
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agents]
}

resource "google_bigquery_dataset" "requests" {
  count = var.request_logging ? 1 : 0

  project                         = var.account_id
  dataset_id                      = local.dataset_id
  location                        = var.region
  description                     = "For the request log of Vertex AI itself, should an endpoint of ${local.base} have it"
  default_table_expiration_ms     = var.retention.captured_requests_days * local.day_ms
  default_partition_expiration_ms = var.retention.captured_requests_days * local.day_ms
  delete_contents_on_destroy      = !var.deletion_protection
  labels                          = local.labels

  dynamic "default_encryption_configuration" {
    for_each = var.encryption.customer_managed ? [local.key_id] : []

    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agents]
}
