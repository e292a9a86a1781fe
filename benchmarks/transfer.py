"""Files to stores and back, beside the clients that their makers give: 10,000 of 100 KB, and one of 5 GB.

The stores are the doubles, each in a process of its own and fresh for every client, a folder, and a bare store
(standin.py) which does nothing but keep bytes, so that the clients' own cost shows. Every transfer is a process.

    python benchmarks/transfer.py [--stores local bare-aws aws …] [--parts many one changes resumed copy]
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring
from measuring import at_most, row
from transfer_clients import BUCKET

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
PEERS = {"local": "copytree", "aws": "boto3", "azure": "azure", "gcp": "google"}
NAMES = {"boto3": "boto3", "azure": "azure-storage-blob", "google": "google-cloud-storage", "copytree": "shutil"}
STORES = ("local", "bare-aws", "bare-azure", "aws", "azure", "gcp")
PARTS = ("many", "one", "changes", "resumed", "copy")
DOUBLES = {
    "aws": ["cloudml_aws.double", "--bucket", BUCKET],
    "azure": ["cloudml_azure.double", "--container", BUCKET],
    "gcp": ["cloudml_gcp.double", "--bucket", BUCKET],
}
LONG_AGO = 1_000_000_000
OURS = "cloudml"
MEGABYTE = 1e6
MEMORY = Path("/dev/shm")


def roomy(size: float) -> Path | None:
    """Where to put *size* bytes that come back once: in memory if there is room beside a store, so that no disk shows.

    ext4 looks through the inodes that were freed in the last minutes before it gives one: after another client's files
    were removed, making files took twice as long.
    """
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 5 * size else None


@dataclass
class Server:
    """A store that runs.

    Attributes:
        environ: What leads clients to it.
    """

    environ: dict[str, str]
    process: subprocess.Popen[str] | None = None

    @property
    def processor(self) -> float:
        """Seconds that it has spent on processors."""
        if self.process is None:
            return 0.0
        words = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(store: str, folder: Path) -> Iterator[Server]:
    """A fresh store."""
    if store == "local":
        with tempfile.TemporaryDirectory(dir=folder) as name:
            yield Server({"LOCAL_STORE": name})
        return
    bare = store.startswith("bare")
    command = [str(HERE / "standin.py")] if bare else ["-m", *DOUBLES[store]]
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=folder)
    try:
        yield Server(standin(process) if bare else double(process), process)
    finally:
        process.terminate()
        process.wait()


def standin(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().split()[1]}"
    return {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ENDPOINT": f"{url}/account",
    }  # fmt: skip


def double(process: subprocess.Popen[str]) -> dict[str, str]:
    """What a double prints, but for what leads everything else there."""
    assert process.stdout is not None
    found = {}
    for line in iter(process.stdout.readline, "\n"):
        name, _, value = line.rstrip("\n").partition("=")
        found[name] = value
    return {name: value for name, value in found.items() if "PROXY" not in name.upper()}


@dataclass
class Spent:
    """What transfers took, round by round."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)


class Bench:
    """The transfers of one run.

    Args:
        folder: Where data lies; everything in it is removed afterwards.
    """

    def __init__(self, folder: Path, area: measuring.Area, rounds: int) -> None:
        self.folder, self.area, self.rounds = folder, area, rounds

    def transfer(self, server: Server, client: str, store: str, verb: str, data: str, **said: str) -> dict[str, float]:
        """Run one transfer in a process of its own; what it printed."""
        folder = self.folder / (data if verb == "push" else f"pulled-{data}")
        names = json.dumps(sorted(file.name for file in (self.folder / data).iterdir()))
        environ = {**os.environ, **server.environ, "DATASET": data, "NAMES": names, **said}
        before = server.processor
        found = run([client, store, verb, said.get("SOURCE", str(folder))], environ)
        found["server"] = server.processor - before
        print(f"    {store} {verb} {data} {client}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()), flush=True)
        if verb == "pull":
            shutil.rmtree(folder)
        return found

    def beside(self, store: str, data: str, bound: float) -> None:
        """Push and pull one set of files by both clients."""
        peer = PEERS[store.removeprefix("bare-")]
        spent = {(client, verb): Spent() for client in (OURS, peer) for verb in ("push", "pull")}
        for number in range(self.rounds):
            for client in [OURS, peer] if number % 2 == 0 else [peer, OURS]:
                (self.folder / "digests.db").unlink(missing_ok=True)
                with serving(store, self.folder) as server:
                    for verb in ("push", "pull"):
                        found = self.transfer(server, client, store, verb, data)
                        for name, value in found.items():
                            getattr(spent[client, verb], name).append(value)
        for verb in ("push", "pull"):
            ours, theirs = spent[OURS, verb], spent[peer, verb]
            name, other = f"{store}: {verb} {self.called(data)}", NAMES[peer]
            target = at_most(bound) if store != "local" else None
            self.area.add(row(name, "s", ours.seconds, target, **{other: theirs.seconds}))
            self.area.add(row(f"{name}, processor time", "s", ours.processor, None, **{other: theirs.processor}))
            peaks = [peak / MEGABYTE for peak in ours.peak]
            self.area.add(row(f"{name}, memory", "MB", peaks, at_most(200)))

    def called(self, data: str) -> str:
        files = [file.stat().st_size for file in (self.folder / data).iterdir()]
        return f"{len(files):,} files of {files[0] / 1e3:.0f} KB" if len(files) > 1 else f"one of {files[0] / 1e9:g} GB"

    def changes(self, store: str) -> None:
        """A second push with one file changed, to the same folder; and a push that was killed at the half."""
        changed: list[float] = []
        again: list[float] = []
        whole = sum(file.stat().st_size for file in (self.folder / "many").iterdir())
        for number in range(self.rounds):
            with serving(store, self.folder) as server:
                self.transfer(server, OURS, store, "push", "many")
                one = self.folder / "many" / "00000.bin"
                one.write_bytes(os.urandom(one.stat().st_size - 1 - number))
                os.utime(one, (LONG_AGO, LONG_AGO))
                changed.append(self.transfer(server, OURS, store, "push", "many")["seconds"])
            again.append((whole / 2 + self.resumed(store, "many")) / whole)
        self.area.add(row(f"{store}: second push, one file changed", "s", changed, at_most(1)))
        self.area.add(row(f"{store}: bytes sent in all, killed at the half", "of all bytes", again, at_most(1.05)))

    def resumed(self, store: str, data: str) -> float:
        """Push, be killed when half is read, and push again; how many bytes the second push sent."""
        with serving(store, self.folder) as server:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.transfer(server, "killed", store, "push", data, DATASET="interrupted")
            return self.transfer(server, OURS, store, "push", data, DATASET="interrupted")["sent"]

    def one_resumed(self, store: str) -> None:
        """One large file, whose push was killed at the half; what was on its way then may have come or not."""
        whole = sum(file.stat().st_size for file in (self.folder / "one").iterdir())
        again = [(whole / 2 + self.resumed(store, "one")) / whole for _ in range(self.rounds)]
        name = f"{store}: bytes sent in all, {self.called('one')} killed at the half"
        self.area.add(row(name, "of all bytes", again, at_most(1.05)))

    def copied(self) -> None:
        """From one cloud's double to another's, through this computer."""
        peaks: list[float] = []
        for _ in range(self.rounds):
            with serving("aws", self.folder) as source, serving("azure", self.folder) as target:
                self.transfer(source, OURS, "aws", "push", "one")
                (there,) = (self.folder / "one").iterdir()
                both = Server({**source.environ, **target.environ, "AWS_ALLOW_HTTP": "true"}, target.process)
                both.environ["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false"
                url = f"s3://{BUCKET}/ours/one/{there.name}"
                found = self.transfer(both, "fetched", "azure", "push", "one", SOURCE=url)
                peaks.append(found["peak"] / MEGABYTE)
        self.area.add(row(f"aws to azure: {self.called('one')}, memory", "MB", peaks, at_most(200)))


def run(words: Sequence[str], environ: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, HERE / "transfer_clients.py", *words],
        env=environ, stdout=subprocess.PIPE, stderr=None, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def lay(folder: Path, count: int, size: int) -> None:
    folder.mkdir()
    for number in range(count):
        file = folder / f"{number:05}.bin"
        with file.open("wb") as out:
            for start in range(0, size, 1 << 24):
                out.write(os.urandom(min(1 << 24, size - start)))
        os.utime(file, (LONG_AGO, LONG_AGO))


def options() -> argparse.Namespace:
    parser = measuring.arguments(__doc__, rounds=1)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=100_000, help="of each of many files")
    parser.add_argument("--gigabytes", type=float, default=5, help="of the one large file")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    return parser.parse_args()


def main() -> None:
    said = options()
    part = (tuple(said.stores), tuple(said.parts)) != (STORES, PARTS)
    one = {"one", "resumed", "copy"} & set(said.parts)
    size = said.files * said.bytes + (said.gigabytes * 1e9 if one else 0)
    with (
        tempfile.TemporaryDirectory(prefix="transfer-", dir=roomy(size)) as name,
        measuring.area("transfer", keep=part) as area,
    ):
        bench = Bench(Path(name), area, said.rounds)
        lay(bench.folder / "many", said.files, said.bytes)
        if one:
            lay(bench.folder / "one", 1, int(said.gigabytes * 1e9))
        for store in said.stores:
            if "many" in said.parts:
                bench.beside(store, "many", 1 / 3)
            if "one" in said.parts:
                bench.beside(store, "one", 1)
            if "resumed" in said.parts and store != "local":
                bench.one_resumed(store)
            if "changes" in said.parts and not store.startswith("bare"):
                bench.changes(store)
        if "copy" in said.parts:
            bench.copied()


if __name__ == "__main__":
    main()
