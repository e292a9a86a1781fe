"""Where things lie in the storage of a target: one folder for each project.

<prefix>/<project>/
  datasets/<name>/                the files; datasets/<name>.json, written last, lists them
  cards/<section>/<name>.json     whose a dataset, job or model is; written first, removed last
  jobs/<name>/code/               the code that travelled, the runtime, and the job's request
  jobs/<name>/output/<output>/    what a job left; output/_cloudml/ is the record of its driver
  checkpoints/<name>/             outlives a run that was taken away or failed
  models/<name>/                  the model's files, and code/ to serve them
  capture/<endpoint>/…            captured requests
  monitors/<name>/                monitor.json and the reports
  blobs/                          contents by digest, from which the above are copied
"""

from __future__ import annotations

from typing import ClassVar

from cloudml.records import dataclass


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses below one project's root.

    Attributes:
        bucket: The bucket or container.
        prefix: The folder in it, with the project's name at its end.
    """

    SCHEME: ClassVar[str]

    bucket: str
    prefix: str

    @property
    def root(self) -> str:
        """The project's root as an address."""
        return f"{self.SCHEME}://{self.bucket}/{self.prefix}"

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

    def outputs(self, name: str) -> str:
        """All that a job leaves."""
        return f"jobs/{name}/output"

    def output(self, name: str, output: str) -> str:
        """Where a job leaves an output."""
        return f"{self.outputs(name)}/{output}"

    def record(self, name: str) -> str:
        """The record that the driver leaves."""
        return f"{self.outputs(name)}/_cloudml"

    def checkpoints(self, name: str) -> str:
        return f"checkpoints/{name}"

    def card(self, section: str, name: str) -> str:
        """What is kept of a dataset, a job or a model besides what lies in its own folder."""
        return f"cards/{section}/{name}"

    def model(self, name: str) -> str:
        return f"models/{name}"

    def capture(self, endpoint: str) -> str:
        """The captured requests of an endpoint; of all when *endpoint* is empty."""
        return f"capture/{endpoint}".rstrip("/")

    def monitor(self, name: str) -> str:
        return f"monitors/{name}"
