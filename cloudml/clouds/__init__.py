"""What the cloud providers share: whatever needs object storage, and none of a cloud's own words."""
