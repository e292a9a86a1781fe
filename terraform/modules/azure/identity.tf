resource "azurerm_user_assigned_identity" "workspace" {
  name                = "id-${local.base}-workspace"
  location            = var.region
  resource_group_name = local.group_name
  tags                = local.tags
}

resource "azurerm_user_assigned_identity" "execution" {
  name                = "id-${local.base}-execution"
  location            = var.region
  resource_group_name = local.group_name
  tags                = local.tags
}

resource "azurerm_user_assigned_identity" "adapter" {
  name                = "id-${local.base}-adapter"
  location            = var.region
  resource_group_name = local.group_name
  tags                = local.tags
}

resource "azurerm_federated_identity_credential" "ci" {
  for_each = local.subjects

  name                      = "ci-${each.key}"
  user_assigned_identity_id = azurerm_user_assigned_identity.adapter.id
  issuer                    = var.ci_federation.issuer
  audience                  = [var.ci_federation.audience]
  subject                   = each.value
}

# What the workspace itself needs when it runs with an identity of its own.
resource "azurerm_role_assignment" "workspace" {
  for_each = {
    storage_data    = { scope = azurerm_storage_account.this.id, role = "Storage Blob Data Contributor" }
    storage_files   = { scope = azurerm_storage_account.this.id, role = "Storage File Data Privileged Contributor" }
    storage_account = { scope = azurerm_storage_account.this.id, role = "Storage Account Contributor" }
    vault           = { scope = azurerm_key_vault.this.id, role = "Key Vault Administrator" }
    registry        = { scope = azurerm_container_registry.this.id, role = "AcrPush" }
    insights        = { scope = azurerm_application_insights.this.id, role = "Contributor" }
  }

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.workspace.principal_id
  principal_type       = "ServicePrincipal"
}

# Jobs and endpoints: data under the prefix, pull images, write metrics and telemetry. Nothing else.
resource "azurerm_role_assignment" "execution" {
  for_each = {
    data      = { scope = azurerm_storage_container.this.id, role = "Storage Blob Data Contributor", condition = local.prefix_only }
    pull      = { scope = azurerm_container_registry.this.id, role = "AcrPull", condition = null }
    metrics   = { scope = azurerm_machine_learning_workspace.this.id, role = "AzureML Metrics Writer (preview)", condition = null }
    telemetry = { scope = azurerm_application_insights.this.id, role = "Monitoring Metrics Publisher", condition = null }
  }

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.execution.principal_id
  principal_type       = "ServicePrincipal"
  condition            = each.value.condition
  condition_version    = each.value.condition == null ? null : "2.0"
}

resource "azurerm_role_definition" "adapter" {
  name              = "cloudml adapter ${local.base}"
  scope             = local.group_id
  description       = "Jobs, models, endpoints and schedules; no keys, no changes of workspace or compute"
  assignable_scopes = [local.group_id]

  permissions {
    actions = local.adapter_actions
  }
}

locals {
  adapter_grants = {
    workspace = { scope = local.group_id, role_id = azurerm_role_definition.adapter.role_definition_resource_id, role = null, condition = null }
    data      = { scope = azurerm_storage_container.this.id, role_id = null, role = "Storage Blob Data Contributor", condition = local.prefix_only }
    push      = { scope = azurerm_container_registry.this.id, role_id = null, role = "AcrPush", condition = null }
    pass      = { scope = azurerm_user_assigned_identity.execution.id, role_id = null, role = "Managed Identity Operator", condition = null }
  }
  adapter_members = merge({ identity = null }, { for p in var.adapter_principals : p => p })
}

resource "azurerm_role_assignment" "adapter" {
  for_each = { for pair in setproduct(keys(local.adapter_members), keys(local.adapter_grants)) : "${pair[0]}/${pair[1]}" => { member = pair[0], grant = pair[1] } }

  scope                = local.adapter_grants[each.value.grant].scope
  role_definition_id   = local.adapter_grants[each.value.grant].role_id
  role_definition_name = local.adapter_grants[each.value.grant].role
  principal_id         = each.value.member == "identity" ? azurerm_user_assigned_identity.adapter.principal_id : each.value.member
  condition            = local.adapter_grants[each.value.grant].condition
  condition_version    = local.adapter_grants[each.value.grant].condition == null ? null : "2.0"
}
