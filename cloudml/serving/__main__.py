"""``python -m cloudml.serving --model DIR``: serve a model until SIGTERM."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from cloudml.errors import SettingsError
from cloudml.serving.config import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USAGE = 2


def main(argv: Sequence[str] | None = None, ready: Callable[[], Any] | None = None) -> int:
    """Serve; the exit code: 0 told to stop, 2 the command line is wrong, 3 the model cannot be loaded.

    Args:
        argv: The command line without the program; `sys.argv` when None.
        ready: Called once, when requests are answered.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        config = read(sys.argv[1:] if argv is None else argv, os.environ)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n\nhint: {error.hint}\n")
        return USAGE
    if config.workers > 1:
        from cloudml.serving.workers import serve
    else:
        from cloudml.serving.server import serve
    return serve(config, ready)


if __name__ == "__main__":
    sys.exit(main())
