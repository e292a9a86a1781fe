"""The paths that a server answers at; what each one is for is told in `app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudml.serving.config import ServerConfig

POSTS = ("/invocations", "/predict", "/score")
GETS = ("/ping", "/health", "/")
METRICS, SERVER, LIVE, READY = "/metrics", "/v2", "/v2/health/live", "/v2/health/ready"
MODELS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
PROTOCOL = "/v2/"


def posts(config: ServerConfig) -> list[str]:
    """Where predictions are asked for, but for the Open Inference Protocol."""
    return list(dict.fromkeys([config.predict_route, *POSTS]))


def gets(config: ServerConfig) -> list[str]:
    """Where health is asked for, but for the Open Inference Protocol."""
    return list(dict.fromkeys([config.health_route, *GETS]))


def names(config: ServerConfig) -> list[str]:
    """Every route, as it is counted."""
    models = [f"{model}{more}" for model in MODELS for more in ("", "/ready", "/infer")]
    return [*posts(config), *gets(config), METRICS, SERVER, LIVE, READY, *models]
