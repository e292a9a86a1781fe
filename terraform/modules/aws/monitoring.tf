resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.retention.logs_days
  kms_key_id        = local.key_arn
  tags              = local.tags
}

resource "aws_sns_topic" "alerts" {
  name              = local.topic_name
  kms_master_key_id = local.key_arn == null ? "alias/aws/sns" : local.key_arn
  tags              = local.tags
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ServicesPublish"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alerts.emails)

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_event_rule" "failures" {
  name        = "${local.base}-failures"
  description = "A job of ${local.base} failed or stopped, or an endpoint could not be updated"
  tags        = local.tags

  event_pattern = jsonencode({
    source        = ["aws.sagemaker"]
    "detail-type" = ["SageMaker Training Job State Change", "SageMaker Processing Job State Change", "SageMaker Endpoint State Change"]
    resources     = [for kind in ["training-job", "processing-job", "endpoint"] : { wildcard = local.sagemaker[kind] }]
    detail = {
      "$or" = [
        { TrainingJobStatus = ["Failed", "Stopped"] },
        { ProcessingJobStatus = ["Failed", "Stopped"] },
        { EndpointStatus = ["FAILED", "ROLLING_BACK"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "failures" {
  rule      = aws_cloudwatch_event_rule.failures.name
  target_id = "alerts"
  arn       = aws_sns_topic.alerts.arn
}

resource "aws_cloudwatch_event_target" "log" {
  rule      = aws_cloudwatch_event_rule.failures.name
  target_id = "log"
  arn       = local.log_group_arn

  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_cloudwatch_log_resource_policy" "events" {
  policy_name = "${local.base}-events"

  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EventsWrite"
      Effect    = "Allow"
      Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "${local.log_group_arn}:*"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_cloudwatch_log_metric_filter" "failures" {
  name           = "${local.base}-failures"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.source = \"aws.sagemaker\" }"

  metric_transformation {
    name          = "Failures"
    namespace     = local.namespace
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  alarm_name          = "${local.base}-many-failures"
  alarm_description   = "Five or more failures of ${local.base} within a quarter of an hour"
  namespace           = local.namespace
  metric_name         = "Failures"
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  threshold           = 5
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
  tags                = local.tags
}

resource "aws_budgets_budget" "this" {
  count = var.alerts.monthly_budget == null ? 0 : 1

  name         = local.base
  budget_type  = "COST"
  limit_amount = tostring(var.alerts.monthly_budget)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  tags         = local.tags

  cost_filter {
    name   = "TagKeyValue"
    values = ["user:project$${var.name}"]
  }

  dynamic "notification" {
    for_each = { actual = 80, forecast = 100 }

    content {
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      notification_type         = notification.key == "actual" ? "ACTUAL" : "FORECASTED"
      subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
    }
  }
}
