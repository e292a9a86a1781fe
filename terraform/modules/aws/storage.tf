resource "aws_s3_bucket" "this" {
  bucket        = local.bucket_name
  force_destroy = !var.deletion_protection
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.encryption.customer_managed

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.encryption.customer_managed ? "aws:kms" : "AES256"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket_versioning.this.bucket

  rule {
    id     = "temporary"
    status = "Enabled"

    filter {
      prefix = "${var.storage_prefix}/tmp/"
    }
    expiration {
      days = var.retention.temporary_days
    }
  }

  rule {
    id     = "captured-requests"
    status = var.request_logging ? "Enabled" : "Disabled"

    # Smaller objects stay: each monitor keeps a mark of two bytes there, without which its runs have no input.
    filter {
      and {
        prefix                   = "${local.captured}/"
        object_size_greater_than = 128
      }
    }
    expiration {
      days = var.retention.captured_requests_days
    }
  }

  rule {
    id     = "housekeeping"
    status = "Enabled"

    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.retention.noncurrent_versions_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 3
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Tls12OrNewer"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}
