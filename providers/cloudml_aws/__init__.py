"""The AWS provider: SageMaker, S3, CloudWatch Logs, Application Auto Scaling and EventBridge Scheduler."""
