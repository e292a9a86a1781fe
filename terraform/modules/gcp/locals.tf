data "google_project" "this" {
  project_id = var.account_id
}

# Reading these two makes Google create the service agents of Cloud Storage and BigQuery.
data "google_storage_project_service_account" "this" {
  project = var.account_id
}

data "google_bigquery_default_service_account" "this" {
  project = var.account_id
}

locals {
  base       = "${var.name}-${var.environment}"
  digest     = substr(sha256("${var.account_id}/${var.region}/${local.base}"), 0, 6)
  own_labels = merge(var.tags, { project = var.name, environment = var.environment })
  labels     = merge(local.own_labels, { managed-by = "cloudml-terraform" })

  bucket_name = "${local.base}-${local.digest}"
  captured    = "${var.storage_prefix}/${var.name}/capture"
  dataset_id  = replace("${local.base}_requests", "-", "_")
  number      = data.google_project.this.number

  services = [for name in [
    "aiplatform", "artifactregistry", "bigquery", "cloudkms", "cloudresourcemanager", "cloudscheduler", "compute", "iam", "iamcredentials",
    "logging", "monitoring", "pubsub", "storage", "sts",
  ] : "${name}.googleapis.com"]

  create_key     = var.encryption.customer_managed && var.encryption.key_id == null
  key_id         = var.encryption.customer_managed ? coalesce(var.encryption.key_id, one(google_kms_crypto_key.this[*].id)) : null
  create_network = var.network.enabled && var.network.network_id == null
  day_ms         = 86400000
  subjects       = var.ci_federation == null ? [] : var.ci_federation.subjects

  # Service agents that encrypt in the project's name. README.md has the line that creates those of the last three.
  key_users = {
    storage  = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
    bigquery = "serviceAccount:${data.google_bigquery_default_service_account.this.email}"
    vertex   = "serviceAccount:service-${local.number}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    registry = "serviceAccount:service-${local.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    pubsub   = "serviceAccount:service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  }

  # An object outside the prefix is refused by this condition, and so is a listing that does not say the prefix.
  prefix_condition = {
    title       = "cloudml-prefix-only"
    description = "Objects under the prefix of cloudml"
    expression = join(" || ", [
      "resource.name.startsWith(\"projects/_/buckets/${local.bucket_name}/objects/${var.storage_prefix}/\")",
      "(resource.type == \"storage.googleapis.com/Bucket\" && api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\").startsWith(\"${var.storage_prefix}/\"))",
    ])
  }
}
