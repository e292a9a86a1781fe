# What cloudml's provider for Google Cloud asks for, and nothing else: cloudml_gcp/permissions.py has the list, and a
# test compares the two. Storage, images and the
# right to run jobs as another account are granted on the things themselves, in identity.tf.

locals {
  adapter_permissions = concat(
    [for verb in ["create", "get", "list", "cancel", "delete"] : "aiplatform.customJobs.${verb}"],
    [for verb in ["upload", "get", "list", "update", "delete"] : "aiplatform.models.${verb}"],
    [for verb in ["create", "get", "list", "update", "deploy", "undeploy", "predict", "delete"] : "aiplatform.endpoints.${verb}"],
    ["aiplatform.operations.list"],
    [for verb in ["create", "get", "update", "delete"] : "cloudscheduler.jobs.${verb}"],
    ["logging.logEntries.list"],
    ["serviceusage.services.use", "resourcemanager.projects.get", "cloudquotas.quotas.get"],
  )

  # `cloudml provider check` looks at the bucket itself. An interrupted upload of a large file is found again; the list
  # of uploads tells IAM no prefix, so the condition on objects would forbid it.
  bucket_permissions = ["storage.buckets.get", "storage.multipartUploads.list"]

  # Cloud Scheduler starts a monitor's job, as an account that can do nothing else.
  scheduler_permissions = ["aiplatform.customJobs.create"]
}
