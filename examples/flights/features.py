"""What is known of a flight before it departs."""

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = [
    "hour", "minute", "arrival", "weekday", "distance",
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib",
]  # fmt: skip
FEATURES = CATEGORIES + NUMBERS
LABEL = "late"
