resource "google_artifact_registry_repository" "this" {
  project       = var.account_id
  location      = var.region
  repository_id = local.base
  format        = "DOCKER"
  description   = "Images that jobs and endpoints of ${local.base} run"
  kms_key_name  = local.key_id
  labels        = local.labels

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "${var.retention.untagged_images_days * 86400}s"
    }
  }

  cleanup_policies {
    id     = "recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = var.retention.keep_images
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agents]
}
