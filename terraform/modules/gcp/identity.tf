# Three accounts: people and CI act as the adapter, jobs and endpoints run as execution, and Cloud Scheduler starts
# monitors as scheduler. permissions.tf says what the project lets them do.

resource "google_service_account" "this" {
  for_each = {
    execution = { short = "exec", description = "Jobs and endpoints run as this account" }
    adapter   = { short = "adapt", description = "People and CI act as this account when they run cloudml" }
    scheduler = { short = "sched", description = "Cloud Scheduler starts monitors as this account" }
  }

  project      = var.account_id
  account_id   = "${local.base}-${each.value.short}"
  display_name = "cloudml ${each.key} ${local.base}"
  description  = each.value.description

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "objects" {
  for_each = { execution = google_service_account.this["execution"].member, adapter = google_service_account.this["adapter"].member }

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = each.value

  condition {
    title       = local.prefix_condition.title
    description = local.prefix_condition.description
    expression  = local.prefix_condition.expression
  }
}

resource "google_artifact_registry_repository_iam_member" "this" {
  for_each = {
    execution = { role = "roles/artifactregistry.reader", member = google_service_account.this["execution"].member }
    adapter   = { role = "roles/artifactregistry.writer", member = google_service_account.this["adapter"].member }
  }

  project    = var.account_id
  location   = google_artifact_registry_repository.this.location
  repository = google_artifact_registry_repository.this.name
  role       = each.value.role
  member     = each.value.member
}

resource "google_project_iam_member" "execution" {
  project = var.account_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.this["execution"].member
}

resource "google_project_iam_custom_role" "this" {
  for_each = { adapter = local.adapter_permissions, scheduler = local.scheduler_permissions, bucket = local.bucket_permissions }

  project     = var.account_id
  role_id     = replace("cloudml_${local.base}_${each.key}", "-", "_")
  title       = "cloudml ${each.key} ${local.base}"
  description = "What cloudml asks for as ${each.key}, and no more"
  permissions = sort(each.value)
  stage       = "GA"
}

resource "google_project_iam_member" "this" {
  for_each = toset(["adapter", "scheduler"])

  project = var.account_id
  role    = google_project_iam_custom_role.this[each.key].id
  member  = google_service_account.this[each.key].member
}

resource "google_storage_bucket_iam_member" "bucket" {
  bucket = google_storage_bucket.this.name
  role   = google_project_iam_custom_role.this["bucket"].id
  member = google_service_account.this["adapter"].member
}

# Who starts a job must be allowed to run it as the execution account; who sets a schedule, as the scheduler's.
resource "google_service_account_iam_member" "pass" {
  for_each = {
    adapter_execution   = { account = "execution", who = "adapter" }
    adapter_scheduler   = { account = "scheduler", who = "adapter" }
    scheduler_execution = { account = "execution", who = "scheduler" }
  }

  service_account_id = google_service_account.this[each.value.account].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this[each.value.who].member
}

resource "google_service_account_iam_member" "act_as_adapter" {
  for_each = toset(var.adapter_principals)

  service_account_id = google_service_account.this["adapter"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}

resource "google_iam_workload_identity_pool" "ci" {
  count = var.ci_federation == null ? 0 : 1

  project                   = var.account_id
  workload_identity_pool_id = "${local.base}-ci"
  display_name              = "cloudml CI ${local.base}"
}

resource "google_iam_workload_identity_pool_provider" "ci" {
  count = var.ci_federation == null ? 0 : 1

  project                            = var.account_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.ci[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "oidc"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = "assertion.sub in [${join(", ", formatlist("'%s'", local.subjects))}]"

  oidc {
    issuer_uri        = var.ci_federation.issuer
    allowed_audiences = [var.ci_federation.audience]
  }
}

resource "google_service_account_iam_member" "ci" {
  for_each = toset(local.subjects)

  service_account_id = google_service_account.this["adapter"].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.ci[0].name}/subject/${each.value}"
}
