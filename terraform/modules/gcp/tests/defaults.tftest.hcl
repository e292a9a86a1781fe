mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  name       = "churn"
  account_id = "my-project-123"
  region     = "europe-west1"
}

run "safe_defaults" {
  command = plan

  assert {
    condition     = google_storage_bucket.this.uniform_bucket_level_access && google_storage_bucket.this.public_access_prevention == "enforced" && !google_storage_bucket.this.force_destroy
    error_message = "The bucket must be closed to the public, and kept while it is not empty."
  }
  assert {
    condition     = alltrue([for member in values(google_storage_bucket_iam_member.objects) : strcontains(member.condition[0].expression, "/objects/cloudml/")])
    error_message = "Storage is limited to the prefix."
  }
  assert {
    condition     = length(google_compute_network.this) + length(google_billing_budget.this) + length(google_iam_workload_identity_pool.ci) == 0
    error_message = "Nothing is made that was not asked for."
  }
}

run "without_an_own_key" {
  command = plan
  variables {
    encryption = { customer_managed = false }
  }
  assert {
    condition     = length(google_kms_crypto_key.this) + length(google_kms_crypto_key_iam_member.agents) == 0 && length(google_storage_bucket.this.encryption) == 0
    error_message = "Without an own key, none is made and none is used."
  }
}

run "ci_by_exact_subjects" {
  command = plan
  variables {
    ci_federation = { issuer = "https://token.actions.githubusercontent.com", audience = "cloudml", subjects = ["repo:example/churn:environment:prod"] }
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.ci[0].attribute_condition == "assertion.sub in ['repo:example/churn:environment:prod']"
    error_message = "Only the subjects that are named come in."
  }
}

run "nobody_named_in_prod" {
  command = plan
  variables {
    environment = "prod"
  }
  expect_failures = [var.adapter_principals]
}

run "a_budget_without_its_account" {
  command = plan
  variables {
    alerts = { monthly_budget = 100 }
  }
  expect_failures = [google_billing_budget.this]
}

run "a_public_group" {
  command = plan
  variables {
    adapter_principals = ["allUsers"]
  }
  expect_failures = [var.adapter_principals]
}
