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

  name       = "churn"
  account_id = var.account_id
  region     = var.region
}

output "profile" {
  description = "`cloudml init --from-terraform` makes a target from it."
  value       = module.cloudml.profile
}
