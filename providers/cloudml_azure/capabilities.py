"""What this provider can, and what it does instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.capabilities import NATIVE, Capability, Level, Support, emulated, impossible

if TYPE_CHECKING:
    from collections.abc import Mapping


ELSEWHERE = impossible("jobs and endpoints run on machines of the cloud")

CAPABILITIES: Mapping[Capability, Support] = {
    Capability.DATASET_FILES: NATIVE,
    Capability.DATASET_REMOTE: emulated("the files are copied into the project's container"),
    Capability.DATASET_LABEL: NATIVE,
    Capability.JOB_PYTHON: NATIVE,
    Capability.JOB_SHELL: NATIVE,
    Capability.JOB_PROCESSING: NATIVE,
    Capability.JOB_PARAMETERS: emulated("they travel with the code in a file, and keep their types; inputs are texts"),
    Capability.JOB_METRICS: NATIVE,
    Capability.JOB_FRAMEWORK: NATIVE,
    Capability.JOB_IMAGE: NATIVE,
    Capability.JOB_REQUIREMENTS: emulated("the job's driver installs them before the script starts"),
    Capability.JOB_MACHINE: NATIVE,
    Capability.JOB_GPU: NATIVE,
    Capability.JOB_DISK: NATIVE,
    Capability.JOB_EXACT: NATIVE,
    Capability.JOB_NODES: NATIVE,
    Capability.JOB_SPOT: NATIVE,
    Capability.JOB_TIMEOUT: NATIVE,
    Capability.JOB_ENVIRONMENT: NATIVE,
    Capability.JOB_CANCEL: NATIVE,
    Capability.JOB_LOGS: NATIVE,
    Capability.JOB_IN_PROCESS: ELSEWHERE,
    Capability.JOB_NATIVE: NATIVE,
    Capability.MODEL_VERSIONS: NATIVE,
    Capability.MODEL_PREDICTOR: NATIVE,
    Capability.MODEL_BARE: emulated(
        "cloudml's scoring script loads it; a model without code is not served as one of MLflow's"
    ),
    Capability.MODEL_REQUIREMENTS: emulated("the scoring script installs them when an instance starts"),
    Capability.MODEL_GATE: NATIVE,
    Capability.ENDPOINT_INSTANCES: NATIVE,
    Capability.ENDPOINT_AUTOSCALE: NATIVE,
    Capability.ENDPOINT_SLEEP: impossible("a managed online endpoint has at least one instance"),
    Capability.ENDPOINT_MACHINE: NATIVE,
    Capability.ENDPOINT_GPU: NATIVE,
    Capability.ENDPOINT_DISK: NATIVE,
    Capability.ENDPOINT_EXACT: NATIVE,
    Capability.ENDPOINT_ROLLING: emulated("a second deployment is made, asked once, and gets the traffic"),
    Capability.ENDPOINT_ROLLBACK: emulated("the traffic is moved only once the new deployment answers"),
    Capability.ENDPOINT_AUTH: NATIVE,
    Capability.ENDPOINT_CAPTURE: NATIVE,
    Capability.ENDPOINT_CAPTURE_SHARE: NATIVE,
    Capability.ENDPOINT_LOGS: NATIVE,
    Capability.ENDPOINT_IN_PROCESS: ELSEWHERE,
    Capability.ENDPOINT_NATIVE: NATIVE,
    Capability.MONITOR_CHECKS: emulated("the monitoring engine runs as a command job over the captured requests"),
    Capability.MONITOR_PREDICTIONS: emulated("the monitoring engine compares the captured answers"),
    Capability.MONITOR_WINDOW: emulated("the monitoring engine leaves out what was captured earlier"),
    Capability.MONITOR_SCHEDULE: NATIVE,
    Capability.MONITOR_REPORT: emulated("the monitoring engine draws it, and it lies in the container"),
    Capability.MONITOR_NATIVE: Support(
        Level.MISSING, "it knows neither KL nor new categories and bins otherwise, so its verdicts would differ"
    ),
}
