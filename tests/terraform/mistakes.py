"""Twenty mistakes in a configuration, each a small change of a good one, and what Terraform must say of it."""

from __future__ import annotations

HEAD = """terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "eu-west-1"
}
"""
GOOD = """
resource "aws_s3_bucket" "this" {
  bucket = "plain"
  tags   = { team = "ml" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  name = "plain"

  production_variants {
    model_name   = "plain"
    variant_name = "all"

    serverless_config {
      max_concurrency   = 1
      memory_size_in_mb = 2048
    }
  }
}
"""
VERSIONING = """
resource "aws_s3_bucket_versioning" "this" {
  bucket = "plain"

  versioning_configuration {
    status = "Enabledd"
  }
}
"""
POLICY = """
resource "aws_s3_bucket_policy" "this" {
  bucket = "plain"
  policy = "{no"
}
"""
PERIOD = """
resource "aws_kms_key" "this" {
  rotation_period_in_days = 20
}
"""

OF_THE_PROVIDER = "misspelt argument of the provider"
MISTAKES: dict[str, tuple[str, str, str]] = {
    "misspelt argument": ('bucket = "plain"', 'buckett = "plain"', 'Did you mean "bucket"?'),
    "misspelt nested argument": ("sse_algorithm", "sse_algoritm", 'Did you mean "sse_algorithm"?'),
    "misspelt block": ("_by_default {", "_by_defaults {", "Unsupported block type"),
    "misspelt argument of the provider": ("region =", "regionn =", 'Did you mean "region"?'),
    "missing argument": ("  bucket = aws_s3_bucket.this.id\n", "", "Missing required argument"),
    "missing nested argument": ("      max_concurrency   = 1\n", "", "Missing required argument"),
    "missing block": (GOOD[GOOD.index("  production_variants") :], "}\n", "Insufficient production_variants blocks"),
    "attribute written as a block": ('tags   = { team = "ml" }', 'tags { team = "ml" }', "Unsupported block type"),
    "block written as an attribute": ("serverless_config {", "serverless_config = {", "Unsupported argument"),
    "two of a block that may stand once": (
        "    apply_server",
        '    apply_server_side_encryption_by_default {\n      sse_algorithm = "AES256"\n    }\n    apply_server',
        "Too many apply_server_side_encryption_by_default blocks",
    ),
    "map for a text": ('bucket = "plain"', "bucket = { name = 1 }", "string required"),
    "word for a number": ("max_concurrency   = 1", 'max_concurrency   = "one"', "a number is required"),
    "list for a map": ('tags   = { team = "ml" }', 'tags   = ["ml"]', "map of string required"),
    "unknown resource type": ('"aws_s3_bucket" "this"', '"aws_s3_buckett" "this"', "Invalid resource type"),
    "value for what is read only": ('bucket = "plain"', 'bucket = "plain"\n  arn = "arn"', "unconfigurable attribute"),
    "reference to an attribute that is not there": (".this.id", ".this.identifier", "Unsupported attribute"),
    "word that is not among the allowed": (GOOD, GOOD + VERSIONING, "one of ['Enabled'"),
    "arguments that exclude each other": ('bucket = "plain"', 'bucket = "plain"\n  bucket_prefix = "x"', "conflicting"),
    "policy that is not JSON": (GOOD, GOOD + POLICY, "not valid JSON"),
    "number out of range": (GOOD, GOOD + PERIOD, "rotation_period_in_days in 90 to 2560"),
}  # fmt: skip
"""Name to what is replaced, by what, and a part of Terraform's answer."""


def configuration(name: str = "") -> str:
    """The good configuration, or the one with that mistake."""
    old, new, _ = MISTAKES.get(name, ("", "", ""))
    text = HEAD + GOOD
    return text.replace(old, new, 1) if old else text


def modules() -> dict[str, str]:
    """Every configuration as a module without the provider's block, so that one call of Terraform judges them all."""
    heads = {name: HEAD[: HEAD.index("provider ")] for name in ("", *MISTAKES)}
    return {
        folder_of(name): head + configuration(name).partition('region = "eu-west-1"\n}\n')[2]
        for name, head in heads.items()
        if name != OF_THE_PROVIDER
    }


def folder_of(name: str) -> str:
    return name.replace(" ", "-") or "good"
