"""Join flights and weather, and split them: train and test (January to April), and July for later."""

import pandas as pd
from features import FEATURES, LABEL

from cloudml import runtime

job = runtime.job()
flights = pd.read_parquet(job.inputs["flights"] / "flights.parquet")
weather = pd.read_parquet(job.inputs["flights"] / "weather.parquet")

# A cancelled or diverted flight has no arrival delay; whether it was late cannot be said.
flights = flights.dropna(subset=["arr_delay"])
flights[LABEL] = (flights["arr_delay"] > 15).astype(int)
flights["weekday"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.day_of_week
flights["arrival"] = flights["sched_arr_time"] // 100

# The weather of the scheduled hour at the airport of departure; an hour that was not measured stays empty.
hours = ["origin", "year", "month", "day", "hour"]
rows = flights.merge(weather.drop_duplicates(hours), on=hours, how="left", suffixes=("", "_weather"))
rows = rows.sort_values([*hours, "minute", "carrier", "flight"], ignore_index=True)

# One row in five is held out, by its place in the sorted table: the same rows on every machine.
first_months = rows["month"] <= 4
held_out = rows.index % 5 == 0
parts = {
    "train": rows[first_months & ~held_out],
    "test": rows[first_months & held_out],
    "july": rows[rows["month"] == 7],
}
for name, part in parts.items():
    part[[*FEATURES, LABEL]].to_parquet(job.outputs[name] / f"{name}.parquet", index=False)
    print(f"{name}: {len(part):,} flights, {part[LABEL].mean():.1%} late")
