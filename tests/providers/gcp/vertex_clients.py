"""Google's own clients of Vertex AI and their types, by their names.

They are loaded when the first is asked for: that takes eight seconds, which a process that runs none of their tests
need not spend when it collects them.
"""

from importlib import import_module


def __getattr__(name):
    if not name[0].isupper():  # pytest asks whatever stands in a test module for names of its own
        raise AttributeError(name)
    return getattr(import_module("google.cloud.aiplatform_v1"), name)
