data "azurerm_client_config" "current" {
  lifecycle {
    postcondition {
      condition     = self.subscription_id == var.account_id
      error_message = "The credentials belong to subscription ${self.subscription_id}, not to ${var.account_id}."
    }
  }
}

locals {
  base     = "${var.name}-${var.environment}"
  own_tags = merge(var.tags, { project = var.name, environment = var.environment })
  tags     = merge(local.own_tags, { managed-by = "cloudml-terraform" })

  # Names of storage, vault and registry are global and short: letters and digits, and a digest of whose they are.
  compact = substr(replace(local.base, "-", ""), 0, 14)
  digest  = substr(sha256("${var.account_id}/${var.region}/${local.base}"), 0, 8)

  group_name = var.azure_resource_group_name == null ? azurerm_resource_group.this[0].name : var.azure_resource_group_name
  group_id   = "/subscriptions/${var.account_id}/resourceGroups/${local.group_name}"

  container   = "cloudml"
  captured    = "${var.storage_prefix}/${var.name}/capture"
  create_key  = var.encryption.customer_managed && var.encryption.key_id == null
  key_id      = var.encryption.customer_managed ? coalesce(var.encryption.key_id, one(azurerm_key_vault_key.this[*].versionless_id)) : null
  create_vnet = var.network.enabled && var.network.network_id == null
  subnet_ids  = local.create_vnet ? azurerm_subnet.jobs[*].id : var.network.subnet_ids
  subjects    = var.ci_federation == null ? {} : { for i, s in var.ci_federation.subjects : tostring(i) => s }

  # A blob whose path is outside the prefix is refused by this condition, and so is a listing that does not say the prefix.
  blobs       = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
  path_below  = "@Resource[${local.blobs}:path] StringLike '${var.storage_prefix}/*'"
  list_below  = "@Request[${local.blobs}:prefix] StringLike '${var.storage_prefix}/*'"
  one_blob    = join(" AND ", concat(["!(ActionMatches{'${local.blobs}/read'} AND NOT SubOperationMatches{'Blob.List'})"], [for verb in ["write", "add/action", "delete"] : "!(ActionMatches{'${local.blobs}/${verb}'})"]))
  a_listing   = "ActionMatches{'${local.blobs}/read'} AND SubOperationMatches{'Blob.List'}"
  prefix_only = "((${local.one_blob}) OR (${local.path_below})) AND ((!(${local.a_listing})) OR (${local.list_below}))"
}
