# Inputs that only AWS has. Each has a default.

variable "aws_oidc_provider_arn" {
  description = "Existing OpenID Connect provider for ci_federation. An account can have only one for each issuer; null makes it."
  type        = string
  default     = null

  validation {
    condition     = var.aws_oidc_provider_arn == null ? true : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.aws_oidc_provider_arn))
    error_message = "aws_oidc_provider_arn must be the ARN of an OpenID Connect provider."
  }
}

variable "aws_permissions_boundary_arn" {
  description = "Permissions boundary for the roles that are made, for accounts that demand one."
  type        = string
  default     = null
}

variable "aws_image_repository_arns" {
  description = "Repositories, besides the one that is made, from which jobs and endpoints may pull images. null: those of the region in every account, as AWS's own images lie in accounts of AWS; each repository's own policy decides."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for a in coalesce(var.aws_image_repository_arns, []) : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/.+$", a))])
    error_message = "Each must be the ARN of an ECR repository."
  }
}
