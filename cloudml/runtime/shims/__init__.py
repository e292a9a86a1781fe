"""Between a cloud's own serving toolkit and a model: one file for each contract."""
