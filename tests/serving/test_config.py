"""The command line, and the variables of each cloud."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cloudml.errors import SettingsError
from cloudml.serving import config
from cloudml.serving.config import Capture, Limits, ServerConfig, read


@pytest.fixture(autouse=True)
def no_sagemaker(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(config, "SAGEMAKER_MODEL", tmp_path / "nowhere")


def test_the_command_line_says_everything() -> None:
    words = (
        "--model m --predictor p.py:P --code c --name n --version 3 --fd 5 --workers 3 --batch-rows 8 "
        "--batch-wait-milliseconds 2 "
        "--timeout-seconds 1.5 --max-body-bytes 9 --queue 4 --threads 2 --drain-seconds 3 --linger-seconds 0.5 "
        "--capture-dir d --capture-share 0.5 --capture-flush-seconds 2 --capture-rows 7"
    )
    assert read(words.split(), {}) == ServerConfig(
        model=Path("m"),
        predictor="p.py:P",
        code=Path("c"),
        name="n",
        version="3",
        fd=5,
        workers=3,
        limits=Limits(
            body_bytes=9,
            time=timedelta(seconds=1.5),
            queue=4,
            batch_rows=8,
            batch_wait=timedelta(milliseconds=2),
            threads=2,
            drain=timedelta(seconds=3),
            linger=timedelta(seconds=0.5),
        ),
        capture=Capture(folder=Path("d"), share=0.5, flush=timedelta(seconds=2), rows=7),
    )


def test_every_flag_of_limits_and_capture_reaches_its_field() -> None:
    flags = {flag.replace("-", "_") for flag, *_ in config.FLAGS}
    assert {*config.LIMITS, *config.CAPTURE} <= flags
    assert set(config.LIMITS.values()) == set(Limits.__dataclass_fields__)
    assert set(config.CAPTURE.values()) == set(Capture.__dataclass_fields__) - {"queue"}
    assert flags - {*config.LIMITS, *config.CAPTURE} <= set(ServerConfig.__dataclass_fields__)


def test_vertex_is_told_by_its_variables(tmp_path) -> None:
    environ = {
        "AIP_STORAGE_URI": str(tmp_path),
        "AIP_HTTP_PORT": "8081",
        "AIP_HEALTH_ROUTE": "/h",
        "AIP_PREDICT_ROUTE": "/v1/e/1:predict",
    }
    found = read([], environ)
    assert (found.model, found.port, found.health_route, found.predict_route, found.host) == (
        tmp_path, 8081, "/h", "/v1/e/1:predict", "0.0.0.0",
    )  # fmt: skip


def test_sagemaker_is_told_by_its_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(config, "SAGEMAKER_MODEL", tmp_path)
    found = read(["serve"], {"SAGEMAKER_BIND_TO_PORT": "9000", "SAGEMAKER_PROGRAM": "inference.py"})
    assert (found.model, found.port, found.predictor, found.host) == (tmp_path, 9000, "inference.py", "0.0.0.0")


def test_azure_mounts_the_model_one_folder_deeper(tmp_path) -> None:
    (tmp_path / "model_output").mkdir()
    environ = {"AZUREML_MODEL_DIR": str(tmp_path), "AML_APP_ROOT": "/app", "AZUREML_ENTRY_SCRIPT": "score.py"}
    found = read([], environ)
    assert (found.model, found.code, found.predictor) == (tmp_path / "model_output", Path("/app"), "score.py")
    (tmp_path / "model.pkl").touch()
    assert read([], environ).model == tmp_path


def test_the_command_line_goes_before_and_listens_at_home(tmp_path) -> None:
    found = read(["--model", "mine", "--port", "1"], {"AIP_STORAGE_URI": str(tmp_path), "AIP_HTTP_PORT": "2"})
    assert (found.model, found.port, found.host) == (Path("mine"), 1, "127.0.0.1")


def test_the_token_comes_from_its_file(tmp_path) -> None:
    token = tmp_path / "token"
    token.write_text("geheim\n")
    environ = {"CLOUDML_TOKEN_FILE": str(token)}
    assert read(["--model", "m"], environ).token == "geheim"
    token.write_text("")
    with pytest.raises(SettingsError, match=r"CLOUDML_TOKEN_FILE .*empty"):
        read(["--model", "m"], environ)
    token.unlink()
    with pytest.raises(SettingsError, match="CLOUDML_TOKEN_FILE"):
        read(["--model", "m"], environ)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "no model folder"),
        ({"AIP_STORAGE_URI": "gs://bucket/model"}, "AIP_STORAGE_URI cannot be used: it must be a folder"),
        ({"AIP_HTTP_PORT": "x"}, "AIP_HTTP_PORT cannot be used"),
        ({"AZUREML_MODEL_DIR": "/nowhere/at/all"}, "AZUREML_MODEL_DIR cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(environ, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read([], environ)


@pytest.mark.parametrize(
    "words", ["--capture-share 2", "--threads 0", "--workers 65", "--port x", "--unknown", "start"]
)
def test_a_wrong_command_line_ends_with_the_exit_code_of_usage(words: str, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        read(["--model", "m", *words.split()], {})
    assert caught.value.code == 2
