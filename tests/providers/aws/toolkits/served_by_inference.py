"""Runs inside `.toolkits/inference`: sagemaker-inference serves a folder by multi-model-server, on Java.

The toolkit's own start looks for the server among all processes of the machine and wants a file in /etc; so the
configuration that it makes is written here, and the command that it gives is run in place of this process.
"""

import os
import sys
from pathlib import Path

from sagemaker_inference import default_handler_service, environment, model_server

config = Path(sys.argv[1])
service = default_handler_service.__name__
config.write_text(model_server._generate_mms_config_properties(environment.Environment(), service))
model_server._set_python_path()
server = str(Path(sys.executable).with_name("multi-model-server"))
log = model_server.DEFAULT_MMS_LOG_FILE
models = f"model={environment.model_dir}"
given = ["--model-store", "/", "--mms-config", str(config), "--log-config", log, "--models", models]
os.execv(server, [server, "--start", "--foreground", *given])
