"""What a project file can say, as questions that every provider answers, and the levels of an answer.

A provider's table answers every member; every answer but `native` carries a reason without the provider's name in it.
The user's error, docs/support.md and the conformance tests all come from these tables.
"""

from __future__ import annotations

from enum import Enum, StrEnum

from cloudml.records import dataclass


class Level(StrEnum):
    """How well a provider does a thing, and so who must act."""

    NATIVE = "native"
    """The provider does it."""
    EMULATED = "emulated"
    """We do it on top of the provider; the reason says how."""
    MISSING = "missing"
    """The provider can, the adapter does not yet."""
    IMPOSSIBLE = "impossible"
    """The provider cannot."""


@dataclass(frozen=True, slots=True)
class Support:
    """An answer; true when the thing can be used."""

    level: Level
    reason: str = ""

    def __bool__(self) -> bool:
        return self.level in {Level.NATIVE, Level.EMULATED}


NATIVE = Support(Level.NATIVE)


def emulated(reason: str) -> Support:
    """Something else does it; *reason* says what runs where."""
    return Support(Level.EMULATED, reason)


def missing(reason: str) -> Support:
    """It could be done, and is not yet."""
    return Support(Level.MISSING, reason)


def impossible(reason: str) -> Support:
    """The provider has nothing that could do it."""
    return Support(Level.IMPOSSIBLE, reason)


class Capability(Enum):
    """One thing that a project can ask for; each a question."""

    def __init__(self, key: str, question: str) -> None:
        self.key = key
        self.question = question

    DATASET_FILES = ("datasets.files", "Can a dataset be files, folders or globs of the project?")
    DATASET_REMOTE = ("datasets.remote", "Can a dataset lie at s3://, gs://, az:// or https://?")
    DATASET_LABEL = ("datasets.label", "Is the label column kept with the dataset?")

    JOB_PYTHON = ("jobs.script.python", "Can a job be a Python script?")
    JOB_SHELL = ("jobs.script.shell", "Can a job be a shell script?")
    JOB_PROCESSING = ("jobs.processing", "Can a job make something other than a model?")
    JOB_PARAMETERS = ("jobs.parameters", "Do parameters reach the script with their types?")
    JOB_METRICS = ("jobs.metrics", "Are the numbers that a script reports kept?")
    JOB_FRAMEWORK = ("jobs.framework", "Can a prebuilt image be chosen by framework and version?")
    JOB_IMAGE = ("jobs.image", "Can a job run in an image of one's own?")
    JOB_REQUIREMENTS = ("jobs.requirements", "Is a requirements.txt installed before the script starts?")
    JOB_MACHINE = ("jobs.machine", "Can CPUs and memory be asked for?")
    JOB_GPU = ("jobs.machine.gpu", "Can accelerators be asked for?")
    JOB_DISK = ("jobs.machine.disk", "Can scratch disk be asked for?")
    JOB_EXACT = ("jobs.machine.exact", "Can a machine be asked for by the provider's own name?")
    JOB_NODES = ("jobs.nodes", "Can a job run on several machines?")
    JOB_SPOT = ("jobs.spot", "Can a job run at the spot price, and be resumed?")
    JOB_TIMEOUT = ("jobs.timeout", "Is a job stopped after a time?")
    JOB_ENVIRONMENT = ("jobs.environment", "Can environment variables be set?")
    JOB_CANCEL = ("jobs.cancel", "Can a running job be stopped, with time to clean up?")
    JOB_LOGS = ("jobs.logs", "Can logs be read while a job runs?")
    JOB_IN_PROCESS = ("jobs.in_process", "Can a job run in the calling process, for a debugger?")
    JOB_NATIVE = ("jobs.native", "Can a job carry the provider's own words?")

    MODEL_VERSIONS = ("models.versions", "Are models kept as versions?")
    MODEL_PREDICTOR = ("models.predictor", "Can a model come with code that answers?")
    MODEL_BARE = ("models.bare", "Can a scikit-learn, XGBoost or MLflow model be served without code?")
    MODEL_REQUIREMENTS = ("models.requirements", "Is a requirements.txt installed before a model is served?")
    MODEL_GATE = ("models.require", "Is a model held back while its requirements are not met?")

    ENDPOINT_INSTANCES = ("endpoints.instances", "Can an endpoint have several instances?")
    ENDPOINT_AUTOSCALE = ("endpoints.instances.range", "Does an endpoint grow and shrink with the traffic?")
    ENDPOINT_SLEEP = ("endpoints.instances.zero", "Can an endpoint sleep when nobody asks?")
    ENDPOINT_MACHINE = ("endpoints.machine", "Can CPUs and memory be asked for?")
    ENDPOINT_GPU = ("endpoints.machine.gpu", "Can accelerators be asked for?")
    ENDPOINT_DISK = ("endpoints.machine.disk", "Can scratch disk be asked for?")
    ENDPOINT_EXACT = ("endpoints.machine.exact", "Can a machine be asked for by the provider's own name?")
    ENDPOINT_ROLLING = ("endpoints.rolling", "Is a new version brought in without a failed request?")
    ENDPOINT_ROLLBACK = ("endpoints.rollback", "Does the old version stay when the new one cannot start?")
    ENDPOINT_AUTH = ("endpoints.auth", "Does an endpoint refuse strangers?")
    ENDPOINT_CAPTURE = ("endpoints.capture", "Are requests and answers recorded?")
    ENDPOINT_CAPTURE_SHARE = ("endpoints.capture.share", "Can a share of them be recorded?")
    ENDPOINT_LOGS = ("endpoints.logs", "Can an endpoint's log be read?")
    ENDPOINT_IN_PROCESS = ("endpoints.in_process", "Can an endpoint be called without a socket?")
    ENDPOINT_NATIVE = ("endpoints.native", "Can an endpoint carry the provider's own words?")

    MONITOR_CHECKS = ("monitors.checks", "Are the distances of the monitoring engine computed?")
    MONITOR_PREDICTIONS = ("monitors.predictions", "Can answers be compared, besides what was asked?")
    MONITOR_WINDOW = ("monitors.window", "Can a run look back for a given time only?")
    MONITOR_SCHEDULE = ("monitors.schedule", "Does a monitor run by itself?")
    MONITOR_REPORT = ("monitors.report", "Is there a page that shows the distributions?")
    MONITOR_NATIVE = ("monitors.native", "Can the vendor's own monitor do the checks?")
