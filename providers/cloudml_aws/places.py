"""Where things lie in the bucket, and where SageMaker lays them in a container.

<prefix>/<project>/
  datasets/<name>/                the files; datasets/<name>.json, written last, lists them
  cards/<section>/<name>.json     whose a dataset, job or model is; written first, removed last
  jobs/<name>/code/               the code that travelled, the runtime, and the job's request
  jobs/<name>/output/model/       what a training job left in /opt/ml/model
  jobs/<name>/output/data/<name>/ its other outputs, and those of a processing job; _cloudml/ is the record
  checkpoints/<name>/             outlives a run that was taken away or failed
  models/<name>/                  the model's files, and code/ to serve them
  capture/<endpoint>/…            captured requests as SageMaker writes them
  monitors/<name>/                monitor.json and the reports
  blobs/                          contents by digest, from which the above are copied
"""

from __future__ import annotations

from dataclasses import dataclass

TRAINING = "/opt/ml"
PROCESSING = "/opt/ml/processing"
CODE = "code"
"""The channel of the job's own code; no input may have its name."""


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses below one project's root.

    Attributes:
        bucket: The bucket.
        prefix: The folder in it, with the project's name at its end.
    """

    bucket: str
    prefix: str

    @property
    def root(self) -> str:
        """The project's root as an address."""
        return f"s3://{self.bucket}/{self.prefix}"

    def uri(self, path: str) -> str:
        """The address of a path below the root; a folder's ends with ``/`` when *path* does."""
        return f"{self.root}/{path}"

    def path(self, uri: str) -> str:
        """The path below the root of an address there; the address itself elsewhere."""
        return uri.removeprefix(f"{self.root}/").rstrip("/")

    def dataset(self, name: str) -> str:
        return f"datasets/{name}"

    def job(self, name: str) -> str:
        return f"jobs/{name}"

    def code(self, name: str) -> str:
        return f"jobs/{name}/code"

    def output(self, name: str, output: str) -> str:
        """Where a job leaves an output: SageMaker keeps the model apart from the rest."""
        return f"jobs/{name}/output/model" if output == "model" else f"jobs/{name}/output/data/{output}"

    def outputs(self, name: str) -> str:
        """What SageMaker writes of a job."""
        return f"jobs/{name}/output"

    def data(self, name: str) -> str:
        """What a job leaves besides a model: its outputs, each a folder, and the record."""
        return f"jobs/{name}/output/data"

    def card(self, section: str, name: str) -> str:
        """What is kept of a dataset, a job or a model besides what lies in its own folder."""
        return f"cards/{section}/{name}"

    def record(self, name: str) -> str:
        """The record that the driver leaves."""
        return f"jobs/{name}/output/data/_cloudml"

    def checkpoints(self, name: str) -> str:
        return f"checkpoints/{name}"

    def model(self, name: str) -> str:
        return f"models/{name}"

    def capture(self, endpoint: str) -> str:
        """SageMaker adds ``/<endpoint>/<variant>/yyyy/mm/dd/hh/``; *endpoint* may be empty for the folder of all."""
        return f"capture/{endpoint}".rstrip("/")

    def monitor(self, name: str) -> str:
        return f"monitors/{name}"
