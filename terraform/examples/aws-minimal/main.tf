terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28, < 7.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

variable "account_id" {
  description = "AWS account that may be changed."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-west-1"
}

module "cloudml" {
  source = "../../modules/aws"

  name       = "churn"
  account_id = var.account_id
  region     = var.region
}

output "profile" {
  description = "`cloudml init --from-terraform` makes a target from it."
  value       = module.cloudml.profile
}
