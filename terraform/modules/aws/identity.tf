# Three roles: people and CI act as the adapter, jobs and endpoints run as execution, and EventBridge Scheduler starts
# monitors as scheduler. policies.tf says what each may do.

resource "aws_iam_role" "execution" {
  name                 = "${local.base}-execution"
  path                 = "/cloudml/"
  description          = "Jobs and endpoints of ${local.base} run as this role"
  permissions_boundary = var.aws_permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SageMakerOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "sagemaker.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:sagemaker:${local.scope}:*" }
      }
    }]
  })
}

resource "aws_iam_role" "scheduler" {
  name                 = "${local.base}-scheduler"
  path                 = "/cloudml/"
  description          = "EventBridge Scheduler starts the monitors of ${local.base} as this role"
  permissions_boundary = var.aws_permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SchedulerOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:scheduler:${local.scope}:schedule-group/default" }
      }
    }]
  })
}

resource "aws_iam_openid_connect_provider" "ci" {
  for_each = local.new_providers

  url            = each.value.issuer
  client_id_list = [each.value.audience]
  tags           = local.tags
}

locals {
  provider_arn = var.ci_federation == null ? null : coalesce(var.aws_oidc_provider_arn, one(values(aws_iam_openid_connect_provider.ci)[*].arn))

  # With nobody named, which only dev and test allow, whoever the account lets assume roles may act as the adapter.
  anybody    = length(var.adapter_principals) == 0 && var.ci_federation == null
  principals = local.anybody ? ["arn:${local.partition}:iam::${var.account_id}:root"] : var.adapter_principals
}

resource "aws_iam_role" "adapter" {
  name                 = "${local.base}-adapter"
  path                 = "/cloudml/"
  description          = "People and CI act as this role when they run cloudml"
  max_session_duration = 3600
  permissions_boundary = var.aws_permissions_boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for named in [local.principals] : {
        Sid       = "NamedPrincipals"
        Effect    = "Allow"
        Principal = { AWS = named }
        Action    = "sts:AssumeRole"
      } if length(named) > 0],
      [for trust in values(local.federation) : {
        Sid       = "FederatedCi"
        Effect    = "Allow"
        Principal = { Federated = local.provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = { StringEquals = { "${local.issuer_host}:aud" = trust.audience, "${local.issuer_host}:sub" = trust.subjects } }
      }],
    )
  })
}

resource "aws_iam_policy" "adapter" {
  for_each = local.adapter_statements

  name        = "${local.base}-adapter-${each.key}"
  path        = "/cloudml/"
  description = "What cloudml does with ${each.key} in ${local.base}"
  tags        = local.tags
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })

  lifecycle {
    precondition {
      condition     = length(jsonencode({ Version = "2012-10-17", Statement = each.value })) <= 6144
      error_message = "The policy for ${each.key} is longer than IAM allows."
    }
  }
}

resource "aws_iam_role_policy_attachment" "adapter" {
  for_each = aws_iam_policy.adapter

  role       = aws_iam_role.adapter.name
  policy_arn = each.value.arn
}

resource "aws_iam_role_policy" "execution" {
  name   = "cloudml"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "cloudml"
  role   = aws_iam_role.scheduler.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.scheduler_statements })
}

resource "aws_iam_role_policy" "key" {
  for_each = var.encryption.customer_managed ? { adapter = aws_iam_role.adapter.id, execution = aws_iam_role.execution.id } : {}

  name = "cloudml-key"
  role = each.value
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.key_statements[each.key], [{
      Sid       = "GrantToVolumes"
      Effect    = "Allow"
      Action    = "kms:CreateGrant"
      Resource  = local.key_arn
      Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
    }])
  })
}
