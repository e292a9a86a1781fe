"""cloudml: one interface for the life of a machine-learning model."""
