"""What this provider can, and what it does instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.capabilities import NATIVE, Capability, Support, emulated, impossible

if TYPE_CHECKING:
    from collections.abc import Mapping


HERE = emulated("runs on this computer, whatever machine is asked for")
THIS_PYTHON = emulated("runs in this Python with the packages that are installed, whatever image is asked for")
ONE_NODE = impossible("one computer is one node")
STEADY = emulated("the least of the range, and at least one process, answers; the number does not follow the traffic")

CAPABILITIES: Mapping[Capability, Support] = {
    Capability.DATASET_FILES: NATIVE,
    Capability.DATASET_REMOTE: emulated("the files are downloaded into the state folder"),
    Capability.DATASET_LABEL: NATIVE,
    Capability.JOB_PYTHON: NATIVE,
    Capability.JOB_SHELL: NATIVE,
    Capability.JOB_PROCESSING: NATIVE,
    Capability.JOB_PARAMETERS: NATIVE,
    Capability.JOB_METRICS: NATIVE,
    Capability.JOB_FRAMEWORK: THIS_PYTHON,
    Capability.JOB_IMAGE: THIS_PYTHON,
    Capability.JOB_REQUIREMENTS: NATIVE,
    Capability.JOB_MACHINE: HERE,
    Capability.JOB_GPU: HERE,
    Capability.JOB_DISK: HERE,
    Capability.JOB_EXACT: HERE,
    Capability.JOB_NODES: ONE_NODE,
    Capability.JOB_SPOT: emulated("runs on this computer, which costs nothing and is not taken away"),
    Capability.JOB_TIMEOUT: NATIVE,
    Capability.JOB_ENVIRONMENT: NATIVE,
    Capability.JOB_CANCEL: NATIVE,
    Capability.JOB_LOGS: NATIVE,
    Capability.JOB_IN_PROCESS: NATIVE,
    Capability.JOB_NATIVE: NATIVE,
    Capability.MODEL_VERSIONS: NATIVE,
    Capability.MODEL_PREDICTOR: NATIVE,
    Capability.MODEL_BARE: NATIVE,
    Capability.MODEL_REQUIREMENTS: NATIVE,
    Capability.MODEL_GATE: NATIVE,
    Capability.ENDPOINT_INSTANCES: emulated("so many processes on this computer answer at one port"),
    Capability.ENDPOINT_AUTOSCALE: STEADY,
    Capability.ENDPOINT_SLEEP: STEADY,
    Capability.ENDPOINT_MACHINE: HERE,
    Capability.ENDPOINT_GPU: HERE,
    Capability.ENDPOINT_DISK: HERE,
    Capability.ENDPOINT_EXACT: HERE,
    Capability.ENDPOINT_ROLLING: NATIVE,
    Capability.ENDPOINT_ROLLBACK: NATIVE,
    Capability.ENDPOINT_AUTH: NATIVE,
    Capability.ENDPOINT_CAPTURE: NATIVE,
    Capability.ENDPOINT_CAPTURE_SHARE: NATIVE,
    Capability.ENDPOINT_LOGS: NATIVE,
    Capability.ENDPOINT_IN_PROCESS: NATIVE,
    Capability.ENDPOINT_NATIVE: NATIVE,
    Capability.MONITOR_CHECKS: NATIVE,
    Capability.MONITOR_PREDICTIONS: NATIVE,
    Capability.MONITOR_WINDOW: NATIVE,
    Capability.MONITOR_SCHEDULE: emulated("runs while the endpoint is up, started by the endpoint's own process"),
    Capability.MONITOR_REPORT: NATIVE,
    Capability.MONITOR_NATIVE: impossible("there is no vendor here, and the monitoring engine is the only one"),
}
