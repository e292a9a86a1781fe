# What cloudml's provider for Azure asks of Azure Resource Manager, and nothing else: cloudml_azure/permissions.py has the
# list, and a test compares the two. Blobs and images are granted on the things themselves, in identity.tf.

locals {
  workspaces = "Microsoft.MachineLearningServices/workspaces"

  adapter_actions = concat(
    ["${local.workspaces}/read", "${local.workspaces}/datastores/read", "${local.workspaces}/datastores/write"],
    flatten([for kind in ["data/versions", "codes/versions", "environments/versions", "models/versions", "onlineEndpoints", "onlineEndpoints/deployments", "jobs", "schedules"] :
      [for verb in ["read", "write", "delete"] : "${local.workspaces}/${kind}/${verb}"]
    ]),
    ["${local.workspaces}/models/read", "${local.workspaces}/jobs/cancel/action", "${local.workspaces}/experiments/runs/read"],
    # Endpoints are asked with tokens of Entra ID: nobody needs their keys.
    ["${local.workspaces}/onlineEndpoints/score/action", "${local.workspaces}/onlineEndpoints/deployments/getLogs/action"],
    [for verb in ["read", "write", "delete"] : "Microsoft.Insights/autoscalesettings/${verb}"],
    ["Microsoft.Authorization/permissions/read"],
  )
}
