module "contract" {
  source = "../contract"

  profile = {
    provider    = "azure"
    name        = var.name
    environment = var.environment
    region      = var.region
    account     = { id = var.account_id, tenant_id = data.azurerm_client_config.current.tenant_id }
    storage = {
      uri      = "abfss://${azurerm_storage_container.this.name}@${azurerm_storage_account.this.primary_dfs_host}/${var.storage_prefix}"
      bucket   = azurerm_storage_container.this.name
      prefix   = var.storage_prefix
      endpoint = azurerm_storage_account.this.primary_blob_endpoint
    }
    encryption = {
      customer_managed = var.encryption.customer_managed
      key_id           = local.key_id
    }
    container_registry = {
      host       = azurerm_container_registry.this.login_server
      repository = "jobs"
      url        = "${azurerm_container_registry.this.login_server}/jobs"
    }
    identities = {
      adapter   = { id = azurerm_user_assigned_identity.adapter.id, principal = azurerm_user_assigned_identity.adapter.principal_id, client_id = azurerm_user_assigned_identity.adapter.client_id }
      execution = { id = azurerm_user_assigned_identity.execution.id, principal = azurerm_user_assigned_identity.execution.principal_id, client_id = azurerm_user_assigned_identity.execution.client_id }
    }
    model_registry = {
      kind   = "azureml-workspace"
      groups = { for model in var.model_groups : model => "${var.name}-${model}" }
    }
    compute = {
      target                 = azurerm_machine_learning_compute_cluster.this.name
      allowed_instance_types = var.compute.allowed_instance_types
      min_nodes              = var.compute.min_nodes
      max_nodes              = var.compute.max_nodes
      idle_minutes           = var.compute.idle_minutes
    }
    network = {
      enabled            = var.network.enabled
      network_id         = local.create_vnet ? azurerm_virtual_network.this[0].id : var.network.network_id
      subnet_ids         = local.subnet_ids
      security_group_ids = azurerm_network_security_group.jobs[*].id
    }
    logging = {
      destination     = azurerm_log_analytics_workspace.this.workspace_id
      retention_days  = var.retention.logs_days
      request_log_uri = var.request_logging ? "abfss://${azurerm_storage_container.this.name}@${azurerm_storage_account.this.primary_dfs_host}/${local.captured}" : null
    }
    monitoring = {
      metric_namespace = "Microsoft.MachineLearningServices/workspaces"
      alert_channel    = azurerm_monitor_action_group.this.id
    }
    tags = local.own_tags
    settings = {
      resource_group  = local.group_name
      workspace       = azurerm_machine_learning_workspace.this.name
      storage_account = azurerm_storage_account.this.name
      key_vault_uri   = azurerm_key_vault.this.vault_uri
      authentication  = "entra"
    }
  }
}
