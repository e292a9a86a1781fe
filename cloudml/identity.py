"""Identity from content: what a result depends on, hashed, gives its name.

The hash of a resource covers what its result depends on, and nothing else:

===========  ==========================================================================================================
datasets     the relative name and content of every file; for a remote file what its server says of its content
jobs         the script and the code that it can import, parameters, environment, requirements, image or framework,
             nodes, outputs, the provider's own words, and for each input the hash of what it is made from
models       the job and output that it comes from, the predictor, its code and requirements
endpoints    the model, machine, instances, capture and the provider's own words
monitors     the endpoint's name, the baseline, schedule, window and checks
===========  ==========================================================================================================

A machine, a spot price or a timeout does not change what a job computes, so changing one does not run it again. Hashes
of upstream resources stand for their results, so every hash is known before anything has run.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.records import dataclass
from cloudml.resources import Identity
from cloudml.specs.references import owner, part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.source import Source
    from cloudml.specs import DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
    from cloudml.storage import DigestCache, Manifest


def digest(value: Any) -> str:
    """SHA-256, in hexadecimal, of *value* as canonical JSON: sorted keys, no spaces, UTF-8; 1, 1.0 and true differ."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Contents:
    """The content behind a project's resources, read when asked for and then remembered.

    Attributes:
        project: The project.
        root: Its folder.
        provider: The provider's name: its own words count at that provider only.
        known: Identities of resources that the project does not describe, but the provider has.
        cache: Digests of files that were read before.
    """

    project: ProjectSpec
    root: Path
    provider: str
    known: Mapping[str, Identity]
    cache: DigestCache | None = None

    @cached_property
    def _remembered(self) -> dict[tuple[str, Any], Any]:
        return {}

    def identity(self, resource: str) -> Identity:
        """The identity of that resource.

        Raises:
            SpecError: A file is missing or cannot be read, or the reference leads nowhere.
        """
        found: Identity = self._once("identity", resource, self._identity)
        return found

    def manifest(self, resource: str) -> Manifest:
        """The files of that dataset."""
        found: Manifest = self._once("manifest", resource, self._manifest)
        return found

    def source(self, resource: str) -> Source | None:
        """The code that travels with that job or model; None for a model without a predictor."""
        found: Source | None = self._once("source", resource, self._source)
        return found

    def requirements(self, resource: str) -> str:
        """The text of its requirements.txt; empty without one."""
        found: str = self._once("requirements", resource, self._requirements)
        return found

    def _once(self, kind: str, of: Any, make: Any) -> Any:
        key = (kind, of)
        if key not in self._remembered:
            self._remembered[key] = make(of)
        return self._remembered[key]

    def _spec(self, resource: str) -> Any:
        section, _, name = resource.partition(".")
        return getattr(self.project, section, {}).get(name)

    def _identity(self, resource: str) -> Identity:
        spec = self._spec(resource)
        if spec is None:
            if resource in self.known:
                return self.known[resource]
            raise SpecError(
                f"`{resource}` is neither in the project nor at the target",
                path=resource,
                hint="declare it, or bring it into being first",
            )
        content = CONTENT[resource.partition(".")[0]](self, resource, spec)
        return Identity(project=self.project.project, resource=resource, hash=digest(content))

    def _manifest(self, resource: str) -> Manifest:
        from cloudml.storage import scan

        return scan(self._spec(resource).path, self.root, self.cache)

    def _source(self, resource: str) -> Source | None:
        from cloudml.source import collect

        spec = self._spec(resource)
        script = _script(spec)
        if script is None:
            return None
        place = self._folder(resource, spec), script
        found: Source = self._once("code", place, lambda at: collect(*at, exclude=self._data()))
        return found

    def _folder(self, resource: str, spec: Any) -> Path:
        """Where its code lies: a job says so, a model's predictor lies beside the project file."""
        return self.root / spec.source if resource.startswith("jobs.") else self.root

    def _data(self) -> tuple[str, ...]:
        """Where the datasets and the samples of endpoints lie: data do not travel with code."""
        paths = [spec.path for spec in self.project.datasets.values()]
        paths += [spec.sample for spec in self.project.endpoints.values() if spec.sample]
        return tuple(str(self.root / path) for path in paths if "://" not in path)

    def _requirements(self, resource: str) -> str:
        spec = self._spec(resource)
        if not spec.requirements:
            return ""
        path: Path = self._folder(resource, spec) / spec.requirements
        try:
            return path.read_text("utf-8")
        except OSError as error:
            raise SpecError(
                f"`{spec.requirements}` cannot be read: {error.strerror}", path=f"{resource}.requirements"
            ) from None


def _script(spec: Any) -> str | None:
    """The file that the code starts from."""
    if hasattr(spec, "script"):
        return str(spec.script)
    return str(spec.predictor).partition(":")[0] if spec.predictor else None


def _dataset(contents: Contents, resource: str, spec: DatasetSpec) -> Mapping[str, Any]:
    del spec
    return {"files": contents.manifest(resource).hash}


def _job(contents: Contents, resource: str, spec: JobSpec) -> Mapping[str, Any]:
    source = contents.source(resource)
    return {
        "script": spec.script,
        "code": source.digest if source else "",
        "inputs": {name: _made_from(contents, reference) for name, reference in spec.inputs.items()},
        "outputs": sorted(spec.outputs),
        "parameters": spec.parameters,
        "environment": spec.environment,
        "requirements": contents.requirements(resource),
        "image": spec.image,
        "framework": spec.framework.model_dump() if spec.framework else None,
        "nodes": spec.nodes,
        "native": spec.native.get(contents.provider),
    }


def _model(contents: Contents, resource: str, spec: ModelSpec) -> Mapping[str, Any]:
    source = contents.source(resource)
    return {
        "source": _made_from(contents, spec.source),
        "predictor": spec.predictor,
        "code": source.digest if source else "",
        "requirements": contents.requirements(resource),
    }


def _endpoint(contents: Contents, resource: str, spec: EndpointSpec) -> Mapping[str, Any]:
    del resource
    return {
        "model": contents.identity(spec.model).hash,
        "machine": spec.machine.model_dump(mode="json"),
        "instances": spec.scale.model_dump(),
        "capture": spec.capture,
        "native": spec.native.get(contents.provider),
    }


def _monitor(contents: Contents, resource: str, spec: MonitorSpec) -> Mapping[str, Any]:
    del resource
    return {
        "endpoint": spec.endpoint,
        "baseline": _made_from(contents, spec.baseline),
        **spec.model_dump(mode="json", include={"schedule", "window", "checks"}),
    }


def _made_from(contents: Contents, reference: str) -> tuple[str, str]:
    return contents.identity(owner(reference)).hash, part(reference)


CONTENT: Mapping[str, Any] = {
    "datasets": _dataset,
    "jobs": _job,
    "models": _model,
    "endpoints": _endpoint,
    "monitors": _monitor,
}
