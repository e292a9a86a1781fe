"""The project of a cloudml.yaml, as Python users meet it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cloudml import targets
from cloudml.client import Client
from cloudml.errors import SpecError, UnsupportedError
from cloudml.events import silent
from cloudml.records import dataclass
from cloudml.seam import Context
from cloudml.session import ProjectPlan, Session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cloudml.down import DownResult
    from cloudml.events import Listener
    from cloudml.rehearsal import RehearsalResult
    from cloudml.specs import ProjectSpec
    from cloudml.status import Status
    from cloudml.up import UpResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectStatus:
    """All that a project has at a target.

    Attributes:
        target: Where.
        project: Whose.
        statuses: Everything, also what the project file no longer mentions.
        wanted: The names that the project file stands for now.
    """

    target: str
    project: str
    statuses: tuple[Status, ...]
    wanted: frozenset[str]

    def outdated(self, status: Status) -> bool:
        """Whether the project file now stands for something else than this object."""
        return status.name not in self.wanted

    def __repr__(self) -> str:
        return f"ProjectStatus({self._title()})"

    def _title(self) -> str:
        return f"{self.project} on {self.target}: {len(self.statuses)} there"

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        rows = ((one.resource, one.name, one.state, "outdated" * self.outdated(one)) for one in self.statuses)
        return table(self._title(), ("resource", "name", "state", ""), rows)

    def as_json(self) -> dict[str, Any]:
        """As `status --json` prints it."""
        from cloudml.encoding import as_json

        return {
            "target": self.target,
            "project": self.project,
            "resources": [{**as_json(one), "outdated": self.outdated(one)} for one in self.statuses],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project file that was read.

    Attributes:
        spec: What stands in it.
        root: Its folder.
        file: The file.
    """

    spec: ProjectSpec
    root: Path
    file: Path

    def __repr__(self) -> str:
        number = Counter(reference.partition(".")[0] for reference, _ in self.spec.resources())
        has = ", ".join(f"{count} {section}" for section, count in number.items()) or "nothing in it yet"
        return f"Project({self.spec.project!r}: {has}; {str(self.file)!r})"

    def _repr_html_(self) -> str:
        from cloudml.graph import leans_on
        from cloudml.notebook import table

        rows = ((reference, ", ".join(leans_on(spec))) for reference, spec in self.spec.resources())
        return table(f"{self.spec.project}, {self.file}", ("resource", "leans on"), rows)

    def session(self, on: str | None = None) -> Session:
        """The project at the target *on*; `local`, or what ``CLOUDML_TARGET`` says, when None.

        Raises:
            SettingsError: No such target, or its settings are missing or wrong.
            ProviderNotFoundError: Its provider is not installed.
        """
        return Session.open(self.spec, self.root, targets.resolve(self.spec, on))

    def client(self, on: str | None = None) -> Client:
        """The nouns at a target: datasets, jobs, models, endpoints, monitors, logs."""
        return Client(self.session(on))

    def plan(self, on: str | None = None, *, only: Iterable[str] = (), live: bool | None = None) -> ProjectPlan:
        """What `up` would do.

        Args:
            on: The target.
            only: References; everything when empty.
            live: Whether to ask the provider what is there; None asks where that needs no SDK.
        """
        session = self.session(on)
        look = session.target.plugin.reads_state_without_sdk if live is None else live
        return session.plan(only, look=look)

    def up(self, on: str | None = None, *, only: Iterable[str] = (), listener: Listener = silent) -> UpResult:
        """Bring everything, or *only* and what it leans on, into being. See `cloudml.up.Up.run`."""
        return self.session(on).up(only, listener)

    def status(self, on: str | None = None) -> ProjectStatus:
        """All that the project has at a target."""
        session = self.session(on)
        contents = session.builder().contents
        wanted = (contents.identity(reference).name for reference, _ in self.spec.resources())
        return ProjectStatus(
            target=session.target.name,
            project=self.spec.project,
            statuses=session.status(),
            wanted=frozenset(wanted),
        )

    def down(self, on: str | None = None, *, listener: Listener = silent) -> DownResult:
        """Remove all that the project has at a target."""
        return self.session(on).down(listener)

    def rehearse(self, on: str | None = None, *, listener: Listener = silent) -> RehearsalResult:
        """`up`, one prediction, one monitor run and `down`, against a double: no account, nothing left behind.

        Raises:
            UnsupportedError: The provider has no double.
        """
        from cloudml.rehearsal import rehearse

        target = targets.resolve(self.spec, on)
        if target.plugin.rehearse is None:
            raise UnsupportedError(
                f"{target.plugin.title} has no double to rehearse on", hint="rehearse on `local`", path=target.name
            )
        context = Context(root=self.root, project=self.spec.project)
        with target.plugin.rehearse(target.settings, context) as provider:
            return rehearse(Session(self.spec, self.root, target, provider), listener)


def load(path: Path | str = ".") -> Project:
    """Read a project file, or the cloudml.yaml of a folder.

    Raises:
        SpecError: It is wrong; `problems` lists everything that is.
    """
    from pathlib import Path

    given = Path(path)
    file = (given / "cloudml.yaml" if given.is_dir() else given).absolute()
    return Project(spec=_read(file), root=file.parent, file=file)


def _read(file: Path) -> ProjectSpec:
    """What stands in a project file.

    Who else's blocks may stand in it is looked up when one does: that is read from the metadata of all that is
    installed.
    """
    from cloudml.specs.load import load as load_spec

    try:
        return load_spec(file)
    except SpecError:
        from cloudml import plugins

        if set(plugins.names()) <= set(plugins.OURS):
            raise
        return load_spec(file, providers=plugins.names())
