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

  name       = "churn"
  account_id = var.account_id
  region     = var.region
}

output "profile" {
  description = "`cloudml init --from-terraform` makes a target from it."
  value       = module.cloudml.profile
}
