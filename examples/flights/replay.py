"""Send rows of a table that `prepare` made to the endpoint: ``python replay.py test|july [rows]``."""

import os
import sys
from pathlib import Path

import pyarrow.dataset
from features import FEATURES

import cloudml

BATCH = 500


def main(table, rows=3000):
    project = cloudml.load(Path(__file__).parent)
    client = project.client(os.environ.get("CLOUDML_TARGET"))
    folder = client.jobs.get("prepare").outputs[table]
    found = pyarrow.dataset.dataset(folder).to_table(columns=FEATURES)
    step = max(1, found.num_rows // rows)
    instances = found.take(list(range(0, found.num_rows, step))).to_pylist()[:rows]
    answers = []
    for start in range(0, len(instances), BATCH):
        answers += client.endpoints.invoke("delay", instances[start : start + BATCH])
    late = sum(answer > 0.5 for answer in answers)
    print(f"sent {len(instances):,} flights of `{table}`: {late:,} are likely to be late")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
