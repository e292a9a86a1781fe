"""Sweep jobs: trials with values from the search space, so many at once, and the best of them by its metric."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING, Any

from cloudml_azure.double import execution, states
from cloudml_azure.double.states import EndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.world import World

TRIALS = 1000
LOG = "azureml-logs/hyperdrive.txt"


def _rounded(value: float, step: float) -> float:
    return round(value / step) * step


KINDS: dict[str, Callable[..., Any]] = {
    "choice": lambda chance, values: chance.choice(values),
    "uniform": lambda chance, low, high: chance.uniform(low, high),
    "loguniform": lambda chance, low, high: math.exp(chance.uniform(low, high)),
    "quniform": lambda chance, low, high, step: _rounded(chance.uniform(low, high), step),
    "qloguniform": lambda chance, low, high, step: _rounded(math.exp(chance.uniform(low, high)), step),
    "normal": lambda chance, mean, spread: chance.gauss(mean, spread),
    "lognormal": lambda chance, mean, spread: math.exp(chance.gauss(mean, spread)),
    "randint": lambda chance, high: chance.randrange(high),
}
"""How a value of each kind of parameter is drawn; the arguments are those of the search space."""


def trials(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The values of one trial after the other.

    Raises:
        EndedError: A parameter is of a kind that cannot be drawn so.
    """
    algorithm, space = asked["samplingAlgorithm"], asked["searchSpace"]
    unknown = [name for name, (kind, _) in space.items() if kind not in KINDS]
    if unknown:
        raise EndedError("Failed", f"The search space of {', '.join(unknown)} is not valid.")
    if algorithm["samplingAlgorithmType"] == "Grid":
        lists = [arguments[0] for kind, arguments in space.values() if kind == "choice"]
        if len(lists) < len(space):
            raise EndedError("Failed", "Grid sampling takes parameters of the kind choice only.")
        for values in itertools.product(*lists):
            yield dict(zip(space, values, strict=True))
        return
    chance = random.Random(algorithm.get("seed") or 0)  # noqa: S311  it samples
    while True:
        yield {name: KINDS[kind](chance, *arguments) for name, (kind, arguments) in space.items()}


def run(world: World, record: Record) -> None:
    """A worker's life with one sweep."""
    asked = record["_asked"]
    states.wait(world, record, "accepting")
    states.step(world, record, "Running")
    record["_started"] = world.now()
    limits = asked.get("limits") or {}
    most = int(limits.get("maxTotalTrials") or TRIALS)
    at_once = int(limits.get("maxConcurrentTrials") or most)
    values, running, found = itertools.islice(trials(asked), most), list[Any](), list[Any]()
    while True:
        running = [child for child in running if child["properties"]["status"] not in states.OVER]
        stopped = record["_stop"].is_set()
        while not stopped and len(running) < at_once and (one := next(values, None)) is not None:
            child = _begin(world, record, one, len(found))
            running.append(child)
            found.append(child)
        if not running:
            break
        if stopped:
            _cancel(world, running)
        world.pass_time("sweep")
    if record["_stop"].is_set():
        raise EndedError("Canceled")
    _end(world, record, found)


def _begin(world: World, record: Record, values: dict[str, Any], index: int) -> Record:
    """Begin one trial."""
    from cloudml_azure.double import jobs

    asked = record["_asked"]
    shared = ("inputs", "outputs", "computeId", "experimentName", "identity", "queueSettings")
    said = {
        "jobType": "Command",
        **{key: asked[key] for key in shared if asked.get(key) is not None},
        **asked["trial"],
        "displayName": f"{record['name']}_{index}",
    }
    if timeout := (asked.get("limits") or {}).get("trialTimeout"):
        said["limits"] = {"jobLimitsType": "Command", "timeout": timeout}
    with world.lock:
        child = jobs.make(world, f"{record['name']}_{index}", {}, said)
    child |= {"_parent": record["name"], "_trial": values}
    child["_tags"]["hyperparameters"] = str(values)
    child["_params"].update({name: str(value) for name, value in values.items()})
    states.log(world, record, f"[{world.now()}] trial {child['name']}: {values}", LOG)
    world.clock.work(states.worked, world, child, execution.run)
    return child


def _cancel(world: World, running: list[Record]) -> None:
    for child in running:
        child["_stop"].set()
        world.clock.wake(child["id"])


def _end(world: World, record: Record, found: list[Record]) -> None:
    """Say which trial was the best, and how the sweep ended."""
    objective = record["_asked"]["objective"]
    scored = [
        (one["value"], child["name"])
        for child in found
        for one in child["_metrics"][::-1]
        if one["key"] == objective["primaryMetric"]
    ]
    if not any(child["properties"]["status"] == "Completed" for child in found):
        states.finish(world, record, "Failed", "All trials of the sweep have failed.")
        return
    if scored:
        best = (max if objective["goal"] == "Maximize" else min)(scored)
        record["properties"]["properties"]["best_child_run_id"] = best[1]
        record["properties"]["properties"]["score"] = str(best[0])
    states.finish(world, record, "Completed")
