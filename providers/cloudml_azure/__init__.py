"""The Azure provider: Azure Machine Learning, Blob Storage and Azure Monitor's autoscale."""
