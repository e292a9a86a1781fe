terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.80, < 6.0"
    }
  }
}

provider "azurerm" {
  subscription_id     = var.account_id
  storage_use_azuread = true

  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

variable "account_id" {
  description = "Azure subscription that may be changed."
  type        = string
}

variable "region" {
  description = "Azure region."
  type        = string
  default     = "westeurope"
}

module "cloudml" {
  source = "../../modules/azure"

  name               = "churn"
  environment        = "prod"
  account_id         = var.account_id
  region             = var.region
  tags               = { team = "growth" }
  model_groups       = ["churn", "uplift"]
  adapter_principals = ["00000000-0000-4000-8000-0000000000aa"]
  ci_federation = {
    issuer   = "https://token.actions.githubusercontent.com"
    audience = "api://AzureADTokenExchange"
    subjects = ["repo:example/churn:environment:prod"]
  }
  network = { enabled = true }
  compute = {
    allowed_instance_types = ["Standard_DS3_v2", "Standard_NC4as_T4_v3"]
    max_nodes              = 8
  }
  alerts = {
    emails         = ["ml-oncall@example.com"]
    monthly_budget = 500
  }
  azure_budget_start = "2026-01-01T00:00:00Z"
}

output "profile" {
  description = "`cloudml init --from-terraform` makes a target from it."
  value       = module.cloudml.profile
}
