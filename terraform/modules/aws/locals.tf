data "aws_caller_identity" "current" {
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account_id
      error_message = "The credentials belong to account ${self.account_id}, not to ${var.account_id}."
    }
  }
}

data "aws_partition" "current" {}

locals {
  base      = "${var.name}-${var.environment}"
  partition = data.aws_partition.current.partition
  scope     = "${var.region}:${var.account_id}"
  own_tags  = merge(var.tags, { project = var.name, environment = var.environment })
  tags      = merge(local.own_tags, { managed-by = "cloudml-terraform" })

  # Every ARN that a policy names is made from inputs, so that a plan shows whole policies before anything exists.
  bucket_name     = "${local.base}-${var.account_id}-${var.region}"
  bucket_arn      = "arn:${local.partition}:s3:::${local.bucket_name}"
  objects_arn     = "${local.bucket_arn}/${var.storage_prefix}/*"
  captured        = "${var.storage_prefix}/${var.name}/capture"
  repository_name = "${local.base}/jobs"
  repository_arn  = "arn:${local.partition}:ecr:${local.scope}:repository/${local.repository_name}"
  role_arns       = { for role in ["adapter", "execution", "scheduler"] : role => "arn:${local.partition}:iam::${var.account_id}:role/cloudml/${local.base}-${role}" }
  topic_name      = "${local.base}-alerts"
  topic_arn       = "arn:${local.partition}:sns:${local.scope}:${local.topic_name}"
  log_group       = "/aws/events/cloudml/${local.base}"
  log_group_arn   = "arn:${local.partition}:logs:${local.scope}:log-group:${local.log_group}"
  job_logs_arn    = "arn:${local.partition}:logs:${local.scope}:log-group:/aws/sagemaker/*"
  namespace       = "cloudml/${local.base}"

  # The names of what cloudml makes begin with the project's name, whatever the environment.
  sagemaker = { for kind in [
    "training-job", "processing-job", "model", "model-package-group", "model-package", "endpoint", "endpoint-config",
    ] : kind => "arn:${local.partition}:sagemaker:${local.scope}:${kind}/${var.name}-*"
  }

  create_key    = var.encryption.customer_managed && var.encryption.key_id == null
  key_arn       = var.encryption.customer_managed ? coalesce(var.encryption.key_id, one(aws_kms_key.this[*].arn)) : null
  create_vpc    = var.network.enabled && var.network.network_id == null
  subnet_ids    = local.create_vpc ? aws_subnet.private[*].id : var.network.subnet_ids
  issuer_host   = var.ci_federation == null ? "" : trimprefix(var.ci_federation.issuer, "https://")
  federation    = var.ci_federation == null ? {} : { this = var.ci_federation }
  new_providers = var.aws_oidc_provider_arn == null ? local.federation : {}
}
