module "contract" {
  source = "../contract"

  profile = {
    provider    = "aws"
    name        = var.name
    environment = var.environment
    region      = var.region
    account     = { id = var.account_id }
    storage = {
      uri    = "s3://${aws_s3_bucket.this.bucket}/${var.storage_prefix}"
      bucket = aws_s3_bucket.this.bucket
      prefix = var.storage_prefix
    }
    encryption = {
      customer_managed = var.encryption.customer_managed
      key_id           = local.key_arn
    }
    container_registry = {
      host       = split("/", aws_ecr_repository.this.repository_url)[0]
      repository = aws_ecr_repository.this.name
      url        = aws_ecr_repository.this.repository_url
    }
    identities = {
      adapter   = { id = aws_iam_role.adapter.arn, principal = aws_iam_role.adapter.name }
      execution = { id = aws_iam_role.execution.arn, principal = aws_iam_role.execution.name }
    }
    model_registry = {
      kind   = "sagemaker-model-package-group"
      groups = { for k, g in aws_sagemaker_model_package_group.this : k => g.model_package_group_name }
    }
    compute = {
      allowed_instance_types = var.compute.allowed_instance_types
      min_nodes              = var.compute.min_nodes
      max_nodes              = var.compute.max_nodes
      idle_minutes           = var.compute.idle_minutes
    }
    network = {
      enabled            = var.network.enabled
      network_id         = local.create_vpc ? aws_vpc.this[0].id : var.network.network_id
      subnet_ids         = local.subnet_ids
      security_group_ids = aws_security_group.jobs[*].id
    }
    logging = {
      destination     = aws_cloudwatch_log_group.this.name
      retention_days  = var.retention.logs_days
      request_log_uri = var.request_logging ? "s3://${aws_s3_bucket.this.bucket}/${local.captured}" : null
    }
    monitoring = {
      metric_namespace = local.namespace
      alert_channel    = aws_sns_topic.alerts.arn
    }
    tags     = local.own_tags
    settings = { scheduler_role_arn = aws_iam_role.scheduler.arn }
  }
}
