"""Datasets: pointers at files, kept and given back; nothing of the double reads them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import behaviour, operations, records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.world import World

CHANGEABLE = frozenset({"display_name", "description", "labels"})


def create(world: World, method: Method, request: Any) -> Any:
    dataset = copy.deepcopy(request.dataset)
    behaviour.clear_output_only(dataset)
    records.check("dataset", dataset)
    dataset.name = f"{records.normal(world, request.parent)}/datasets/{world.identifier()}"
    world.stamp(dataset, "create_time", "update_time")
    records.fresh_etag(world, dataset)

    def commit() -> Any:
        world.records[dataset.name] = dataset
        return dataset

    return operations.later(world, operations.begin(world, method, dataset.name), "endpoint", commit)


def get(world: World, _method: Method, request: Any) -> Any:
    return records.need(world, request.name)


def list_(world: World, method: Method, request: Any) -> Any:
    return records.answered(world, method, request, records.within(world, request.parent, "datasets"))


def update(world: World, _method: Method, request: Any) -> Any:
    dataset = records.need(world, request.dataset.name)
    records.same_etag(request.dataset.etag, dataset)
    records.check("dataset", request.dataset)
    records.apply(request.update_mask, request.dataset, dataset, CHANGEABLE)
    records.fresh_etag(world, dataset)
    world.stamp(dataset, "update_time")
    return dataset


def delete(world: World, method: Method, request: Any) -> Any:
    name = records.need(world, request.name).name

    def commit() -> Any:
        world.records.pop(name, None)
        return operations.empty()

    return operations.later(world, operations.begin(world, method, name), "delete", commit)


HANDLERS: Mapping[str, Callable[[World, Method, Any], Any]] = {
    "CreateDataset": create,
    "DeleteDataset": delete,
    "GetDataset": get,
    "ListDatasets": list_,
    "UpdateDataset": update,
}
