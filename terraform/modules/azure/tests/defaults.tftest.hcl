mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = { subscription_id = "00000000-0000-4000-8000-000000000001", tenant_id = "00000000-0000-4000-8000-00000000000f" }
  }
  mock_resource "azurerm_storage_account" {
    defaults = { primary_dfs_host = "stchurn.dfs.core.windows.net", primary_blob_endpoint = "https://stchurn.blob.core.windows.net/" }
  }
}

variables {
  name       = "churn"
  account_id = "00000000-0000-4000-8000-000000000001"
  region     = "westeurope"
}

run "safe_defaults" {
  command = plan

  assert {
    condition = alltrue([
      !azurerm_storage_account.this.allow_nested_items_to_be_public, !azurerm_storage_account.this.shared_access_key_enabled,
      azurerm_storage_account.this.https_traffic_only_enabled, azurerm_storage_account.this.min_tls_version == "TLS1_2",
      !azurerm_container_registry.this.admin_enabled, !azurerm_container_registry.this.anonymous_pull_enabled,
      !azurerm_machine_learning_compute_cluster.this.ssh_public_access_enabled, !azurerm_machine_learning_compute_cluster.this.local_auth_enabled,
    ])
    error_message = "No key, no password, no public blob, no plain HTTP."
  }
  assert {
    condition     = azurerm_machine_learning_compute_cluster.this.scale_settings[0].min_node_count == 0 && length(azurerm_consumption_budget_resource_group.this) + length(azurerm_virtual_network.this) == 0
    error_message = "Nothing that costs by the hour is made unless it is asked for."
  }
  assert {
    condition     = length(azurerm_management_lock.this) == 1
    error_message = "The storage account is locked against deletion."
  }
}

run "without_an_own_key" {
  command = plan
  variables {
    encryption = { customer_managed = false }
  }
  assert {
    condition     = length(azurerm_key_vault_key.this) == 0 && length(azurerm_storage_account.this.customer_managed_key) == 0
    error_message = "Without an own key, none is made and none is used."
  }
}

run "wrong_account" {
  command = plan
  variables {
    account_id = "00000000-0000-4000-8000-000000000009"
  }
  expect_failures = [data.azurerm_client_config.current]
}

run "nobody_named_in_prod" {
  command = plan
  variables {
    environment = "prod"
  }
  expect_failures = [var.adapter_principals]
}

run "a_budget_without_its_start" {
  command = plan
  variables {
    alerts = { monthly_budget = 100 }
  }
  expect_failures = [azurerm_consumption_budget_resource_group.this]
}

run "bad_tags" {
  command = plan
  variables {
    tags = { Team = "ML people" }
  }
  expect_failures = [var.tags]
}
