resource "azurerm_storage_account" "this" {
  name                = "st${local.compact}${local.digest}"
  resource_group_name = local.group_name
  location            = var.region

  account_kind                      = "StorageV2"
  account_tier                      = "Standard"
  account_replication_type          = var.environment == "prod" ? "ZRS" : "LRS"
  access_tier                       = "Hot"
  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  allow_nested_items_to_be_public   = false
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  public_network_access_enabled     = var.azure_public_network_access
  tags                              = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.workspace.id]
  }

  dynamic "customer_managed_key" {
    for_each = var.encryption.customer_managed ? [local.key_id] : []

    content {
      key_vault_key_id          = customer_managed_key.value
      user_assigned_identity_id = azurerm_user_assigned_identity.workspace.id
    }
  }

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = var.retention.soft_delete_days
    }
    container_delete_retention_policy {
      days = var.retention.soft_delete_days
    }
  }

  network_rules {
    default_action = var.azure_public_network_access ? "Allow" : "Deny"
    bypass         = ["AzureServices"]
  }

  depends_on = [azurerm_role_assignment.encryption]
}

resource "azurerm_storage_container" "this" {
  name                  = local.container
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "temporary"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${local.container}/${var.storage_prefix}/tmp/"]
    }
    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = var.retention.temporary_days
      }
    }
  }

  rule {
    name    = "captured-requests"
    enabled = var.request_logging

    filters {
      blob_types   = ["blockBlob", "appendBlob"]
      prefix_match = ["${local.container}/${local.captured}/"]
    }
    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = var.retention.captured_requests_days
      }
    }
  }

  rule {
    name    = "old-versions"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }
    actions {
      version {
        delete_after_days_since_creation = var.retention.noncurrent_versions_days
      }
    }
  }
}
