resource "google_logging_project_bucket_config" "this" {
  project        = var.account_id
  location       = var.region
  bucket_id      = local.base
  retention_days = var.retention.logs_days
  description    = "Logs of jobs and endpoints of ${local.base}"
}

resource "google_logging_project_sink" "this" {
  project                = var.account_id
  name                   = local.base
  description            = "Lines of jobs and endpoints, into the bucket of ${local.base}"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.this.id}"
  filter                 = "resource.type=(\"ml_job\" OR \"aiplatform.googleapis.com/Endpoint\")"
  unique_writer_identity = true
}

resource "google_pubsub_topic" "alerts" {
  project                    = var.account_id
  name                       = "${local.base}-alerts"
  kms_key_name               = local.key_id
  message_retention_duration = "604800s"
  labels                     = local.labels

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agents]
}

resource "google_pubsub_topic_iam_member" "monitoring" {
  project = var.account_id
  topic   = google_pubsub_topic.alerts.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${local.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
}

resource "google_monitoring_notification_channel" "topic" {
  project      = var.account_id
  display_name = "cloudml ${local.base}"
  type         = "pubsub"
  labels       = { topic = google_pubsub_topic.alerts.id }
  user_labels  = local.labels
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alerts.emails)

  project      = var.account_id
  display_name = each.value
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = local.labels
}

resource "google_logging_metric" "failed_jobs" {
  project = var.account_id
  name    = "cloudml/${local.base}/failed-jobs"
  filter  = "resource.type=\"ml_job\" AND severity>=ERROR AND jsonPayload.message:\"failed\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_monitoring_alert_policy" "failed_jobs" {
  project               = var.account_id
  display_name          = "${local.base}: job failed"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = concat([google_monitoring_notification_channel.topic.id], [for c in google_monitoring_notification_channel.email : c.id])
  user_labels           = local.labels

  conditions {
    display_name = "A job logged an error"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.failed_jobs.name}\" AND resource.type=\"ml_job\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_billing_budget" "this" {
  count = var.alerts.monthly_budget == null ? 0 : 1

  billing_account = var.gcp_billing_account
  display_name    = local.base

  budget_filter {
    projects = ["projects/${local.number}"]
    labels   = { project = var.name }
  }

  amount {
    specified_amount {
      units = tostring(floor(var.alerts.monthly_budget))
    }
  }

  threshold_rules {
    threshold_percent = 0.8
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = [for c in google_monitoring_notification_channel.email : c.id]
    enable_project_level_recipients  = true
    disable_default_iam_recipients   = false
  }

  lifecycle {
    precondition {
      condition     = var.gcp_billing_account != null
      error_message = "gcp_billing_account must be set when alerts.monthly_budget is."
    }
  }
}
