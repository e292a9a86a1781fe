resource "aws_ecr_repository" "this" {
  name                 = local.repository_name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.deletion_protection
  tags                 = local.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.encryption.customer_managed ? "KMS" : "AES256"
    kms_key         = local.key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "untagged images"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = var.retention.untagged_images_days }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "old images"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.retention.keep_images }
        action       = { type = "expire" }
      },
    ]
  })
}

resource "aws_sagemaker_model_package_group" "this" {
  for_each = var.model_groups

  model_package_group_name        = "${var.name}-${each.value}"
  model_package_group_description = "Versions of ${each.value}"
  tags                            = local.tags
}
