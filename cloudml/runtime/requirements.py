"""Installing the requirements a job asks for.

With a `site` folder they are installed beside it and moved there whole, with a marker that says which requirements and
which Python they are for; the next run with the same ones takes the folder as it is. Several may want the same folder
at once: a lock lets one install. What counts is the text of the file and of those it includes with ``-r`` or ``-c``; a
change inside a local package that it names is not noticed. Without a folder pip installs into this Python.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import time
from typing import Callable, Iterator, Mapping, Sequence

MARKER = ".cloudml-requirements.json"
_LINES = 8  # of pip's last words in the reason
_INCLUDES = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)", re.MULTILINE)
# How pip names the requirement that it could not install.
_BLAMED = tuple(
    re.compile(pattern)
    for pattern in (
        r"No matching distribution found for (.+)",
        r"Could not find a version that satisfies the requirement (\S+)",
        r"Invalid requirement: ['\"]?(.+?)['\"]?(?:$|:| \()",
        r"Package ['\"](.+?)['\"] requires a different Python",
        r"Failed (?:building wheel for|to build:?) ['\"]?([\w.\-]+)",
        r"Cannot install (.+?) because these package versions have conflict",
        r"Could not (?:open requirements file|install packages).*?['\"](.+?)['\"]",
        r"Invalid wheel filename.*?: ['\"]?(.+?)['\"]?$",
    )
)


class InstallError(Exception):
    """The requirements could not be installed; the text names the one at fault where pip does."""


Runner = Callable[[Sequence[str], str], "int | None"]
"""Runs a command in a folder; its exit code, None if it was not started any more."""
_LOOK_S = 0.1


def blamed(output: str) -> str:
    """The requirement that pip's output calls the reason; empty if it names none."""
    for pattern in _BLAMED:
        for found in pattern.finditer(output):
            return found.group(1).strip()
    return ""


def reason(file: str, output: str) -> str:
    name = blamed(output)
    which = f"requirement `{name}` of {os.path.basename(file)}" if name else f"the requirements in {file}"
    lines = [line for line in output.splitlines() if line.strip()][-_LINES:]
    return "\n".join([f"pip could not install {which}:", *lines])


def identity(file: str) -> dict[str, str]:
    """What an installed folder is for: the requirements' content, and the Python.

    Raises:
        InstallError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for content in _contents(file, set()):
        digest.update(content.encode("utf-8", "surrogateescape") + b"\0")
    python = f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"
    return {"requirements": digest.hexdigest(), "python": python}


def install(
    file: str, site: str | None, *, run: Runner, say: Callable[[str], None], stopped: Callable[[], bool]
) -> None:
    """Install what *file* names.

    Args:
        file: A requirements.txt; paths in it are relative to its folder.
        site: A folder of its own, or None for this Python.
        run: Runs pip; what pip said is the caller's to keep.
        say: Tells the log what happens.
        stopped: No longer wait for another that installs into the same folder.

    Raises:
        InstallError: It cannot be; the text is empty where pip has said why.
    """
    wanted = identity(file)
    if site is None:
        say(f"installing {file}")
        _pip(file, [], run)
        return
    os.makedirs(os.path.dirname(site), exist_ok=True)
    with _locked(f"{site}.lock", stopped):
        if installed(site) == wanted:
            say(f"requirements are installed in {site} already")
            return
        say(f"installing {file} into {site}")
        _into(site, file, wanted, run)


def installed(site: str) -> Mapping[str, str]:
    """The `identity` of what lies in the folder; empty if nothing whole does."""
    try:
        with open(os.path.join(site, MARKER), encoding="utf-8") as marker:
            found = json.load(marker)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _into(site: str, file: str, wanted: Mapping[str, str], run: Runner) -> None:
    if os.path.isdir(site) and os.listdir(site) and not installed(site):
        raise InstallError(f"`site` {site} holds files that were not installed there; name another folder, or empty it")
    partial = f"{site}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _pip(file, ["--target", partial], run)
        os.makedirs(partial, exist_ok=True)  # pip makes none for an empty file
        with open(os.path.join(partial, MARKER), "w", encoding="utf-8") as marker:
            json.dump(wanted, marker)
        if os.path.isdir(site):
            shutil.rmtree(site)
        os.rename(partial, site)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pip(file: str, more: list[str], run: Runner) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-color", *more]
    if run([*pip, "--requirement", file], os.path.dirname(file)) != 0:
        raise InstallError("")


def _contents(file: str, seen: set[str]) -> Iterator[str]:
    path = os.path.realpath(file)
    if path in seen:
        return
    seen.add(path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as opened:
            text = opened.read()
    except OSError as error:
        raise InstallError(f"cannot read the requirements: {error}") from error
    yield text
    for name in _INCLUDES.findall(text):
        if "://" not in name:
            yield from _contents(os.path.join(os.path.dirname(path), name), seen)


@contextlib.contextmanager
def _locked(path: str, stopped: Callable[[], bool]) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # not on Windows, where nothing shares a site folder
        yield
        return
    with open(path, "w", encoding="utf-8") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stopped():
                    raise InstallError("stopped while another job was installing the same requirements") from None
                time.sleep(_LOOK_S)
        yield
