# What cloudml's provider for Azure asks of Azure Resource Manager, and nothing else (a test compares the two). Below a
# kind of thing `*` stands for reading, writing and deleting it and its versions or deployments.

locals {
  workspaces = "Microsoft.MachineLearningServices/workspaces"

  adapter_actions = concat(
    ["${local.workspaces}/read", "${local.workspaces}/computes/read", "${local.workspaces}/datastores/read"],
    [for kind in ["codes", "data", "environments", "jobs", "models", "onlineEndpoints", "schedules"] : "${local.workspaces}/${kind}/*"],
    ["${local.workspaces}/experiments/runs/read"],
    ["Microsoft.Insights/autoscaleSettings/read", "Microsoft.Insights/autoscaleSettings/write", "Microsoft.Insights/autoscaleSettings/delete"],
    ["Microsoft.Resources/subscriptions/resourceGroups/read"],
  )

  # Endpoints are asked with tokens of Entra ID: nobody needs keys.
  adapter_not_actions = [
    "${local.workspaces}/onlineEndpoints/listKeys/action",
    "${local.workspaces}/onlineEndpoints/regenerateKeys/action",
  ]
}
