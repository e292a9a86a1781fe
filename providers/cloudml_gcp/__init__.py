"""The GCP provider: Vertex AI, Cloud Storage, Cloud Logging and Cloud Scheduler."""
