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

  name               = "churn"
  environment        = "prod"
  account_id         = var.account_id
  region             = var.region
  tags               = { team = "growth" }
  model_groups       = ["churn", "uplift"]
  adapter_principals = ["arn:aws:iam::${var.account_id}:role/ml-developers"]
  ci_federation = {
    issuer   = "https://token.actions.githubusercontent.com"
    audience = "sts.amazonaws.com"
    subjects = ["repo:example/churn:environment:prod"]
  }
  network = { enabled = true }
  compute = {
    allowed_instance_types = ["ml.m5.large", "ml.m5.xlarge", "ml.g5.xlarge"]
    max_nodes              = 8
  }
  alerts = {
    emails         = ["ml-oncall@example.com"]
    monthly_budget = 500
  }
}

output "profile" {
  description = "`cloudml init --from-terraform` makes a target from it."
  value       = module.cloudml.profile
}
