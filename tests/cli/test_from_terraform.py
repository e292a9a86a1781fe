"""`cloudml init --from-terraform`: from Terraform's outputs to a target, without Terraform."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cloudml import editing, load

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::111122223333:role/cloudml/flights-dev"
IDENTITY = {"client_id": None}
PROFILE: dict[str, Any] = {
    "contract_version": "1", "provider": "aws", "name": "flights", "environment": "dev", "region": "eu-west-1",
    "account": {"id": "111122223333", "tenant_id": None},
    "storage": {"uri": "s3://acme-ml/cloudml", "bucket": "acme-ml", "prefix": "cloudml", "endpoint": None},
    "encryption": {"customer_managed": False, "key_id": None},
    "container_registry": {"host": "h", "repository": "r", "url": "h/r"},
    "identities": {
        "adapter": {"id": f"{ROLE}-adapter", "principal": "flights-dev-adapter", **IDENTITY},
        "execution": {"id": f"{ROLE}-execution", "principal": "flights-dev-execution", **IDENTITY},
    },
    "model_registry": {"kind": "sagemaker-model-package-group", "groups": {}},
    "compute": {"target": None, "allowed_instance_types": [], "min_nodes": 0, "max_nodes": 4, "idle_minutes": 15},
    "network": {"enabled": False, "network_id": None, "subnet_ids": [], "security_group_ids": []},
    "logging": {"destination": "d", "retention_days": 30, "request_log_uri": None},
    "monitoring": {"metric_namespace": "n", "alert_channel": None},
    "tags": {"project": "flights"},
    "settings": {"scheduler_role_arn": f"{ROLE}-scheduler"},
}  # fmt: skip
FILE = """# Our flights.
project: flights   # as in the platform
targets:
  # the cloud that we had first
  gcp-dev: {provider: gcp,   project_id: acme, region: us-east1, bucket: ml, service_account: "a@b.gserviceaccount.com"}

# what is read
datasets:
  flights: {path: "s3://acme-ml/flights/"}
"""


@pytest.fixture
def shell(empty):
    (empty.folder / "cloudml.yaml").write_text(FILE)
    outputs(empty.folder)
    return empty


def outputs(folder: Path, **changes: Any) -> Path:
    """The file with the outputs of Terraform, its profile changed by dotted paths."""
    profile = copy.deepcopy(PROFILE)
    for path, value in changes.items():
        holder: Any = profile
        *before, last = path.split("__")
        for key in before:
            holder = holder[key]
        holder[last] = value
    file = folder / "platform.json"
    file.write_text(json.dumps({"profile": {"sensitive": False, "type": "…", "value": profile}}))
    return file


def init(shell, *words: str, **more: Any):
    return shell("init", "--from-terraform", "platform.json", *words, **more)


def written(shell) -> str:
    return (shell.folder / "cloudml.yaml").read_text()


def test_a_target_is_added_and_every_other_line_stays_as_it_was(shell) -> None:
    done = init(shell)
    assert (done.code, done.out) == (0, "cloudml.yaml: target `aws-dev` added\n")
    assert "next: cloudml plan --on aws-dev" in done.err
    added = [line for line in written(shell).splitlines() if line not in FILE.splitlines()]
    assert [line for line in written(shell).splitlines() if line not in added] == FILE.splitlines()
    settings = load(shell.folder).spec.targets["aws-dev"].settings
    assert settings == {
        "region": "eu-west-1", "bucket": "acme-ml", "prefix": "cloudml", "role_arn": f"{ROLE}-execution",
        "scheduler_role_arn": f"{ROLE}-scheduler", "tags": {"project": "flights"},
    }  # fmt: skip


def test_a_second_time_changes_nothing(shell) -> None:
    init(shell)
    before = written(shell)
    assert init(shell, "--json").json["action"] == "unchanged"
    assert written(shell) == before


def test_a_target_is_brought_up_to_date_and_what_the_user_wrote_stays(shell) -> None:
    init(shell)
    text = written(shell).replace("    provider: aws\n", "    provider: aws  # ours\n    profile: work  # mine\n")
    (shell.folder / "cloudml.yaml").write_text(text)
    outputs(shell.folder, storage__bucket="other-ml", settings={})
    assert init(shell, "--json").json["action"] == "updated"
    settings = load(shell.folder).spec.targets["aws-dev"].settings
    assert (settings["bucket"], settings["profile"], "scheduler_role_arn" in settings) == ("other-ml", "work", False)
    assert "# ours" in written(shell)
    assert "# mine" in written(shell)
    assert "# what is read" in written(shell)


def test_the_name_is_what_on_says_and_standard_input_is_read(shell) -> None:
    text = (shell.folder / "platform.json").read_text()
    done = shell("init", "--from-terraform", "-", "--on", "work", "--json", text=text)
    assert (done.code, done.json["target"], done.json["provider"]) == (0, "work", "aws")


def test_where_there_is_no_project_one_is_begun_with_the_platform_s_name(empty) -> None:
    outputs(empty.folder)
    done = empty("init", "--from-terraform", "platform.json", "--json")
    assert (done.code, done.json["action"], len(done.json["files"]) > 2) == (0, "added", True)
    spec = load(empty.folder).spec
    assert (spec.project, [*spec.targets]) == ("flights", ["aws-dev"])
    assert empty("plan", "--on", "aws-dev", "--no-live").code == 0


def test_a_project_of_another_name_is_told_that_the_platform_does_not_let_it_in(shell) -> None:
    outputs(shell.folder, name="churn")
    assert "lets in projects called `churn` or `churn-…`, and this one is `flights`" in init(shell).err


def test_a_target_of_another_provider_is_not_taken_over(shell) -> None:
    done = init(shell, "--on", "gcp-dev")
    assert (done.code, "for the provider `gcp`" in done.err, written(shell)) == (2, True, FILE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"contract_version": "2"}, "version '2' of the contract, and this cloudml reads '1'"),
        ({"region": 3}, "`region`: Input should be a valid string"),
        ({"storage__bucket": "Not A Bucket"}, "`bucket`"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_and_nothing_is_written(shell, changes, said: str) -> None:
    outputs(shell.folder, **changes)
    done = init(shell)
    assert (done.code, said in done.err, written(shell)) == (2, True, FILE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({"profile": {"sensitive": True, "value": PROFILE}}), "marked sensitive"),
        (json.dumps({"bucket": {"sensitive": False, "value": "x"}}), "has no output `profile`; its outputs: `bucket`"),
        (json.dumps(PROFILE), "without `profile`"),
        ("{}", "its outputs: none\n\nhint: run `terraform apply` first"),
        ("not json", "is not JSON"),
        (" ", "is empty"),
        ("[]", "has no output `profile`"),
    ],
)
def test_outputs_that_hold_no_profile_that_may_be_read_are_refused(shell, text: str, said: str) -> None:
    (shell.folder / "platform.json").write_text(text)
    done = init(shell)
    assert (done.code, said in done.err, written(shell)) == (2, True, FILE)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_file_that_a_shell_of_windows_wrote_is_read(shell, encoding: str) -> None:
    file = shell.folder / "platform.json"
    file.write_text(file.read_text(), encoding)
    assert init(shell).code == 0


def test_a_project_whose_beginning_was_interrupted_is_begun_again(empty) -> None:
    outputs(empty.folder)
    init(empty)
    for name in ("cloudml.yaml", "train.py"):
        (empty.folder / name).unlink()
    assert (init(empty).code, (empty.folder / "train.py").exists()) == (0, True)
    (empty.folder / "cloudml.yaml").unlink()
    (empty.folder / "README.md").write_text("mine")
    done = init(empty)
    assert (done.code, "has `README.md` already; nothing was written" in done.err) == (2, True)


def test_a_source_that_was_left_empty_is_asked_for(shell) -> None:
    done = shell("init", "--from-terraform", "")
    assert (done.code, "give Terraform's folder" in done.err) == (2, True)


def test_a_file_that_is_not_there_and_a_folder_without_terraform_say_what_to_do(shell) -> None:
    assert "cannot be read" in shell("init", "--from-terraform", "nowhere.json").err
    (shell.folder / "infra").mkdir()
    done = shell("init", "--from-terraform", "infra", PATH=str(shell.folder))
    assert (done.code, "terraform output -json > platform.json" in done.err) == (2, True)


def test_a_project_file_with_mistakes_is_left_as_it_is(shell) -> None:
    (shell.folder / "cloudml.yaml").write_text("project: flights\njobz: {}\n")
    done = init(shell)
    assert (done.code, "jobz" in done.err, written(shell)) == (2, True, "project: flights\njobz: {}\n")


@pytest.mark.parametrize(
    "text",
    [
        "project: flights\n",
        "project: flights",
        "project: flights\ntargets: {}\n",
        "project: flights\ntargets: {work: {provider: local}}  # in braces\ndatasets: {}\n",
        "# first\nproject: flights\n\ntargets:\n    work:\n        provider: local   # four spaces\n# last\n",
        "targets:\n  work: {provider: local}\nproject: flights\n",
    ],
)
def test_any_layout_of_targets_keeps_its_comments(shell, text: str) -> None:
    (shell.folder / "cloudml.yaml").write_text(text)
    assert init(shell).code == 0
    after = written(shell)
    assert {"aws-dev"} <= {*load(shell.folder).spec.targets}
    assert [word for word in text.split("#")[1:] if word.split("\n")[0] not in after] == []
    assert {*yaml.safe_load(text)} <= {*yaml.safe_load(after)}


def test_lines_that_end_as_on_windows_still_do(shell) -> None:
    (shell.folder / "cloudml.yaml").write_bytes(FILE.replace("\n", "\r\n").encode())
    assert init(shell).code == 0
    content = (shell.folder / "cloudml.yaml").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > FILE.count("\n")


def test_the_file_is_replaced_at_once_and_keeps_its_mode(tmp_path, monkeypatch) -> None:
    file = tmp_path / "cloudml.yaml"
    file.write_text("old")
    file.chmod(0o640)
    editing.write(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["cloudml.yaml"]


def test_the_help_has_an_example(empty) -> None:
    assert "cloudml init --from-terraform infra/prod --on aws-prod" in empty("init", "--help").out
