resource "google_kms_key_ring" "this" {
  count = local.create_key ? 1 : 0

  project  = var.account_id
  name     = local.base
  location = var.region

  depends_on = [google_project_service.this]
}

resource "google_kms_crypto_key" "this" {
  count = local.create_key ? 1 : 0

  name                       = "artifacts"
  key_ring                   = google_kms_key_ring.this[0].id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "${var.encryption.rotation_days * 86400}s"
  destroy_scheduled_duration = "${var.encryption.deletion_window_days * 86400}s"
  labels                     = local.labels
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = { for k, m in local.key_users : k => m if var.encryption.customer_managed }

  crypto_key_id = local.key_id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
