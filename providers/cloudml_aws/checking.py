"""`cloudml provider check`: who asks, what they may, the bucket, the roles and the quotas, each apart.

Permissions are looked at by IAM's own policy simulator, so that nothing is made to find out. The simulator knows the
policies of identities; what a bucket's own policy or an organisation forbids, only the probe of the bucket shows.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudml.clouds.checking import probed
from cloudml.errors import AuthenticationError, NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml.seam import Finding
from cloudml_aws import permissions
from cloudml_aws.quotas import findings as quotas

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from cloudml_aws.clients import Clients
    from cloudml_aws.permissions import Permission
    from cloudml_aws.places import Places
    from cloudml_aws.quotas import Wanted

GRANT = "docs/aws-permissions.md has the whole policy"
ASK = "allow iam:SimulatePrincipalPolicy and iam:GetRole to have this looked at"
AT_ONCE = 50
"""So many actions are asked of the simulator in one request."""


def findings(clients: Clients, places: Places, wanted: Iterable[Wanted] = ()) -> Iterator[Finding]:
    """All of it, in order; where nobody is signed in, nothing more is asked.

    Args:
        clients: The clients of the target.
        places: Where the project lies.
        wanted: The machines whose quotas count.
    """
    looking = Looking(clients, places)
    signed_in = yield from looking.credentials()
    if not signed_in:
        return
    yield from looking.permissions()
    yield from looking.roles()
    yield from looking.bucket()
    yield from quotas(clients, tuple(wanted))


@dataclass
class Looking:
    """One check of one target."""

    clients: Clients
    places: Places
    caller: str = ""

    @cached_property
    def named(self) -> Mapping[str, str]:
        return permissions.values(self.clients.settings, self.places)

    def credentials(self) -> Generator[Finding, None, bool]:
        """Who asks, and whether that is the account of the role; gives whether to go on."""
        try:
            said = self.clients.send("sts:GetCallerIdentity", {})
        except ProviderError as error:
            yield Finding(group="credentials", subject="identity", ok=False, text=error.message, hint=error.hint)
            return False
        self.caller = said["Arn"]
        yield Finding(group="credentials", subject="identity", ok=True, text=said["Arn"])
        account = self.clients.settings.account
        yield Finding(
            group="credentials",
            subject="account",
            ok=said["Account"] == account,
            text=f"signed in to {said['Account']}, and the role is of {account}",
            hint="sign in to the account of `role_arn`, or set `profile` of the target",
        )
        return True

    def permissions(self) -> Iterator[Finding]:
        """What the caller may, each part of cloudml apart."""
        settings = self.clients.settings
        needed = tuple(permissions.needed(permissions.CALLER, settings))
        who = principal(self.caller, self._role)
        for noun in dict.fromkeys(one.noun for one in needed):
            subject = "pass-role" if noun == "roles" else noun
            chosen = [one for one in needed if one.noun == noun]
            yield self._allowed("permissions", subject, who, chosen)

    def roles(self) -> Iterator[Finding]:
        """What the roles may, and who may take them on."""
        settings = self.clients.settings
        for setting, service in permissions.TRUSTED.items():
            arn = getattr(settings, setting) or settings.role_arn
            table = permissions.EXECUTION if setting == "role_arn" else permissions.SCHEDULER
            subject = "execution role" if setting == "role_arn" else "scheduler role"
            yield self._trusts(f"{subject}: trust", arn, service)
            yield self._allowed("roles", subject, arn, [*permissions.needed(table, settings)])

    def bucket(self) -> Iterator[Finding]:
        """Whether it is there, in the region, can be written to, and how it is closed."""
        bucket, region = self.places.bucket, self.clients.settings.region
        try:
            said = self.clients.send("s3:GetBucketLocation", {"Bucket": bucket})  # asks for no right to list it all
        except ProviderError as error:
            found = "there is no such bucket" if isinstance(error, NotFoundError) else error.message
            yield Finding(group="bucket", subject=bucket, ok=False, text=found, hint="make it, or set `bucket`")
            return
        lies = located(said)
        yield Finding(
            group="bucket", subject="region", ok=lies == region, text=lies,
            hint=f"SageMaker reads a bucket of its own region only: use one in {region}",
        )  # fmt: skip
        yield self._probe()
        yield self._told("encryption", "s3:GetBucketEncryption", encryption)
        yield self._told("public access", "s3:GetPublicAccessBlock", closed)

    def _allowed(self, group: str, subject: str, who: str, asked: list[Permission]) -> Finding:
        if not who:
            return Finding(group=group, subject=subject, ok=None, text=f"{self.caller} cannot be simulated", hint=ASK)
        try:
            denied = [action for one in asked for action in self._denied(who, one)]
        except AuthenticationError:
            raise
        except ProviderError as error:
            return Finding(group=group, subject=subject, ok=None, text=f"not looked at: {error.message}", hint=ASK)
        text = f"denied: {', '.join(sorted({*denied}))}" if denied else "all that is needed"
        return Finding(group=group, subject=subject, ok=not denied, text=text, hint=GRANT)

    def _denied(self, who: str, asked: Permission) -> Iterator[str]:
        """The actions that are not allowed on one of the resources, as the simulator sees it."""
        resources = [pattern.format_map(self.named) for pattern in asked.resources]
        body = {
            "PolicySourceArn": who,
            "ResourceArns": [example(one) for one in resources],
            "ContextEntries": context(asked, self.named),
        }
        for start in range(0, len(asked.actions), AT_ONCE):
            chosen = {**body, "ActionNames": list(asked.actions[start : start + AT_ONCE])}
            for result in self.clients.pages("iam:SimulatePrincipalPolicy", chosen, "EvaluationResults"):
                if result["EvalDecision"] != "allowed":
                    yield result["EvalActionName"]

    def _role(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.clients.send("iam:GetRole", {"RoleName": name})["Role"]
        return found

    def _trusts(self, subject: str, arn: str, service: str) -> Finding:
        try:
            role = self._role(arn.rpartition("/")[2])
        except NotFoundError:
            return Finding(group="roles", subject=subject, ok=False, text=f"there is no {arn}", hint="make the role")
        except ProviderError as error:
            return Finding(group="roles", subject=subject, ok=None, text=f"not looked at: {error.message}", hint=ASK)
        services = trusted(role["AssumeRolePolicyDocument"])
        told = f"{arn} may be taken on by {', '.join(sorted(services)) or 'no service'}"
        return Finding(
            group="roles", subject=subject, ok=service in services, text=told, hint=f"let {service} assume the role"
        )

    def _probe(self) -> Finding:
        """Whether objects can be written, read and removed."""
        well, text = probed(self.clients.storage(self.places.root))
        return Finding(group="bucket", subject="objects", ok=well, text=text, hint="" if well else GRANT)

    def _told(self, subject: str, operation: str, read: Any) -> Finding:
        """What is said of the bucket; nothing of it is wrong."""
        try:
            return Finding(group="bucket", subject=subject, ok=True, text=read(self._settings_of(operation)))
        except ProviderError as error:
            none = "not set" if "Configuration" in error.code else f"not looked at: {error.message}"
            return Finding(group="bucket", subject=subject, ok=None, text=none, hint="set it if it is not meant so")

    def _settings_of(self, operation: str) -> Mapping[str, Any]:
        return self.clients.send(operation, {"Bucket": self.places.bucket})


def principal(caller: str, role: Any) -> str:
    """Whose policies count for that caller; empty for a caller that has none of its own.

    A role's session does not say the role's path, so the role is looked up. *role* gives what IAM knows of a name.
    """
    kind, _, rest = caller.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        try:
            return str(role(rest.partition("/")[0])["Arn"])
        except ProviderError:
            return ""
    return caller if kind in {"user", "role"} else ""


def example(pattern: str) -> str:
    """A resource that a pattern means."""
    return pattern if pattern == "*" else pattern.replace(":*:", ":000000000000:").replace("*", "x")


def context(asked: Permission, named: Mapping[str, str]) -> list[dict[str, Any]]:
    """The conditions of a permission as facts of the simulated request."""
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value.replace("*", "")],
            "ContextKeyType": "boolean" if test == "Bool" else "string",
        }
        for test, facts in permissions.condition(asked, named).items()
        for key, value in facts.items()
    ]


def located(said: Mapping[str, Any]) -> str:
    """The region of a bucket: the oldest has no name, and the second oldest an old one."""
    region = said.get("LocationConstraint") or "us-east-1"
    return "eu-west-1" if region == "EU" else str(region)


def trusted(document: Any) -> set[str]:
    """The services that a trust policy lets in."""
    said = json.loads(document) if isinstance(document, str) else document
    statements = said.get("Statement", [])
    found: set[str] = set()
    for one in statements if isinstance(statements, list) else [statements]:
        named = one.get("Principal", {})
        services = named.get("Service", []) if isinstance(named, dict) else []
        if one.get("Effect") == "Allow":
            found |= {services} if isinstance(services, str) else {*services}
    return found


def encryption(said: Mapping[str, Any]) -> str:
    """The bucket's own encryption, in a word."""
    rules = said["ServerSideEncryptionConfiguration"]["Rules"]
    return ", ".join(one["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for one in rules)


def closed(said: Mapping[str, Any]) -> str:
    """How the bucket is kept from the public."""
    told = said["PublicAccessBlockConfiguration"]
    return "blocked" if all(told.values()) and told else f"partly blocked: {json.dumps(told)}"
