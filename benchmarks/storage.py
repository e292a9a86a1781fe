"""Pushing 1,000 files: the first time, again, and beside what a script would do by hand.

Ratios to `shutil.copytree` and SHA-256 of every file, which is the least that any content-addressed copy must do; the
median of several rounds, each in a fresh folder. Run: python benchmarks/storage.py
"""

import argparse
import hashlib
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from cloudml.storage import DigestCache, Storage, scan

LONG_AGO = 1_000_000_000


def lay(folder, count, size):
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:04}.bin"
        path.write_bytes(os.urandom(size))
        os.utime(path, (LONG_AGO, LONG_AGO))


def by_hand(data, root):
    for path in sorted(data.iterdir()):
        hashlib.sha256(path.read_bytes()).hexdigest()
    shutil.copytree(data, root / "copy")


def push(root, prefix):
    manifest = scan("data", root, DigestCache(root / "cache.db"))
    return Storage(root / "store").push(manifest, prefix)


def seconds(work, *arguments):
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def one_round(count, size):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = root / "data"
        lay(data, count, size)
        by_hand(data, root)  # warms the page cache for all
        shutil.rmtree(root / "copy")
        found = {"copytree and hash": seconds(by_hand, data, root), "first push": seconds(push, root, "d/v1")}
        found["second push, nothing changed"] = seconds(push, root, "d/v1")
        (data / "0000.bin").write_bytes(b"changed")
        found["push of a version with one change"] = seconds(push, root, "d/v2")
        pull = Storage(root / "store").pull
        found["pull"] = seconds(pull, "d/v2", root / "out")
        found["second pull"] = seconds(pull, "d/v2", root / "out")
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds = [one_round(options.files, options.bytes) for _ in range(options.rounds)]
    print(f"{options.files} files of {options.bytes} bytes, median of {options.rounds} rounds")
    for name in rounds[0]:
        ratios = [one[name] / one["copytree and hash"] for one in rounds]
        print(f"{name:36} {statistics.median(ratios):6.2f} x   (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
