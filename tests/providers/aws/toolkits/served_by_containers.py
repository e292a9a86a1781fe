"""Runs inside `.toolkits/containers`: sagemaker-containers serves a folder, as Amazon's scikit-learn image lets it.

The image's own package is not on any index; what it does with the user's module is these few lines over the toolkit.
"""

from sagemaker_containers.beta.framework import env, modules, transformer, worker

serving = env.ServingEnv()
module = modules.import_module(serving.module_dir, serving.module_name)
handlers = {name: getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn", "transform_fn")}
called = transformer.Transformer(model_fn=module.model_fn, **handlers)
called.initialize()
app = worker.Worker(transform_fn=called.transform, module_name=serving.module_name)

if __name__ == "__main__":
    raise SystemExit("gunicorn serves `app`")
