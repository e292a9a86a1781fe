terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 9.0"
    }
  }
}

provider "google" {
  project               = var.account_id
  region                = var.region
  billing_project       = var.account_id
  user_project_override = true
}

variable "account_id" {
  description = "Google Cloud project that may be changed."
  type        = string
}

variable "region" {
  description = "Google Cloud region."
  type        = string
  default     = "europe-west1"
}

module "cloudml" {
  source = "../../modules/gcp"

  name               = "churn"
  environment        = "prod"
  account_id         = var.account_id
  region             = var.region
  tags               = { team = "growth" }
  model_groups       = ["churn", "uplift"]
  adapter_principals = ["group:ml-developers@example.com"]
  ci_federation = {
    issuer   = "https://token.actions.githubusercontent.com"
    audience = "cloudml"
    subjects = ["repo:example/churn:environment:prod"]
  }
  network = { enabled = true }
  compute = {
    allowed_instance_types = ["n1-standard-4", "g2-standard-4"]
    max_nodes              = 8
  }
  alerts = {
    emails         = ["ml-oncall@example.com"]
    monthly_budget = 500
  }
  gcp_billing_account = "000000-AAAAAA-000000"
}

output "profile" {
  description = "`cloudml init --from-terraform` makes a target from it."
  value       = module.cloudml.profile
}
