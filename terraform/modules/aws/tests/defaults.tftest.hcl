mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b"] }
  }
  mock_resource "aws_ecr_repository" {
    defaults = { repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn-dev/jobs" }
  }
}

variables {
  name       = "churn"
  account_id = "123456789012"
  region     = "eu-west-1"
}

run "safe_defaults" {
  command = plan

  assert {
    condition = !aws_s3_bucket.this.force_destroy && alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket must be closed to the public, and kept while it is not empty."
  }
  assert {
    condition = length([
      for policy in values(aws_iam_policy.adapter) : policy
      if length([for statement in jsondecode(policy.policy).Statement : statement if strcontains(jsonencode(statement.Action), "*")]) > 0
    ]) == 0
    error_message = "No policy may grant a pattern of actions."
  }
  assert {
    condition     = length(aws_vpc.this) + length(aws_vpc_endpoint.interface) + length(aws_budgets_budget.this) == 0
    error_message = "Nothing that costs by the hour is made unless it is asked for."
  }
  assert {
    condition     = jsondecode(aws_iam_role.adapter.assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::123456789012:root"]
    error_message = "In dev, with nobody named, the account decides who may act as the adapter."
  }
}

run "profile" {
  assert {
    condition     = output.profile.provider == "aws" && output.profile.storage.uri == "s3://churn-dev-123456789012-eu-west-1/cloudml"
    error_message = "The profile must say where things lie."
  }
}

run "without_an_own_key" {
  command = plan
  variables {
    encryption = { customer_managed = false }
  }
  assert {
    condition     = length(aws_kms_key.this) == 0 && length(aws_iam_role_policy.key) == 0 && output.profile.encryption.key_id == null
    error_message = "Without an own key, none is made and none is granted."
  }
}

run "an_existing_oidc_provider" {
  command = plan
  variables {
    environment           = "prod"
    ci_federation         = { issuer = "https://token.actions.githubusercontent.com", audience = "sts.amazonaws.com", subjects = ["repo:example/churn:environment:prod"] }
    aws_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.ci) == 0 && strcontains(aws_iam_role.adapter.assume_role_policy, var.aws_oidc_provider_arn) && !strcontains(aws_iam_role.adapter.assume_role_policy, ":root")
    error_message = "The provider that is there is trusted, none is made, and nobody else is let in."
  }
}

run "an_existing_network" {
  command = plan
  variables {
    network = { enabled = true, network_id = "vpc-1", subnet_ids = ["subnet-1"] }
  }
  assert {
    condition     = length(aws_vpc.this) == 0 && output.profile.network.subnet_ids == tolist(["subnet-1"])
    error_message = "A network that is there is used."
  }
}

run "wrong_account" {
  command = plan
  variables {
    account_id = "999999999999"
  }
  expect_failures = [data.aws_caller_identity.current]
}

run "nobody_named_in_prod" {
  command = plan
  variables {
    environment = "prod"
  }
  expect_failures = [var.adapter_principals]
}

run "nobody_named_in_staging" {
  command = plan
  variables {
    environment = "staging"
  }
  expect_failures = [var.adapter_principals]
}

run "bad_name" {
  command = plan
  variables {
    name = "Bad_Name"
  }
  expect_failures = [var.name]
}

run "half_a_network" {
  command = plan
  variables {
    network = { enabled = true, network_id = "vpc-1" }
  }
  expect_failures = [var.network]
}

run "anybody" {
  command = plan
  variables {
    adapter_principals = ["*"]
  }
  expect_failures = [var.adapter_principals]
}

run "any_subject" {
  command = plan
  variables {
    ci_federation = { issuer = "https://ci.example", audience = "a", subjects = ["repo:*"] }
  }
  expect_failures = [var.ci_federation]
}
