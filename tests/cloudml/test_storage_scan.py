"""What a dataset's path means, and the hash of what it leads to."""

import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.errors import SpecError
from cloudml.storage import DigestCache, Entry, Manifest, digests, scan
from cloudml.storage.manifest import document, parsed
from cloudml.storage.patterns import matches

LONG_AGO = 1_000_000_000


@pytest.fixture
def root(tmp_path):
    return tmp_path / "project"


def lay(root, *names, content="x"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (LONG_AGO, LONG_AGO))


def names(manifest):
    return [entry.path for entry in manifest.entries]


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("data/*.csv", ["a.csv", "b.csv"]),
        ("data", ["a.csv", "b.csv", "deep/er/d.csv", "deep/n.txt", "year=1/c.csv"]),
        ("data/", ["a.csv", "b.csv", "deep/er/d.csv", "deep/n.txt", "year=1/c.csv"]),
        ("data/a.csv", ["a.csv"]),
        ("./data/a.csv", ["a.csv"]),
        ("data/**/*.csv", ["a.csv", "b.csv", "deep/er/d.csv", "year=1/c.csv"]),
        ("**/d.csv", ["data/deep/er/d.csv"]),
        ("data/year=*", ["year=1/c.csv"]),
        ("data/[ab].csv", ["a.csv", "b.csv"]),
        ("data/?.csv", ["a.csv", "b.csv"]),
        ("data/.hidden/x.csv", ["x.csv"]),
    ],
)
def test_a_path_means_a_file_a_folder_or_a_pattern(root, location, found):
    lay(root, "data/a.csv", "data/b.csv", "data/year=1/c.csv", "data/deep/er/d.csv", "data/deep/n.txt")
    lay(root, "data/.hidden/x.csv", "data/.DS_Store", "data/_cloudml/metrics.jsonl")
    assert names(scan(location, root)) == found


def test_an_absolute_path_and_a_file_url_mean_the_same(root):
    lay(root, "data/a b.csv")
    assert scan(str(root / "data"), Path("/")) == scan((root / "data").as_uri(), Path("/")) == scan("data", root)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(root):
    lay(root, "data/a[1].csv", "data/a1.csv")
    assert names(scan("data/a[1].csv", root)) == ["a[1].csv"]


def test_a_project_folder_may_look_like_a_pattern(tmp_path):
    lay(tmp_path / "p[1]*", "data/a.csv")
    assert names(scan("data/*.csv", tmp_path / "p[1]*")) == ["a.csv"]


def test_a_pattern_without_match_names_the_nearest_file(root):
    lay(root, "data/flights.csv", "other/zzz.txt")
    with pytest.raises(SpecError, match=r"`data/flihgts\*\.csv` matches no file") as caught:
        scan("data/flihgts*.csv", root)
    assert "`data/flights.csv`" in caught.value.hint


def test_a_missing_folder_names_the_nearest_file(root):
    lay(root, "data/flights.csv")
    with pytest.raises(SpecError, match=r"`dat/flights\.csv` does not exist") as caught:
        scan("dat/flights.csv", root)
    assert "`data/flights.csv`" in caught.value.hint


def test_an_empty_folder_is_no_dataset(root):
    lay(root, "data/.hidden")
    with pytest.raises(SpecError, match="the folder `data` holds no file"):
        scan("data", root)


def test_links_are_followed(root, tmp_path):
    lay(tmp_path / "elsewhere", "sub/b.csv")
    lay(root, "data/a.csv")
    (root / "data/link").symlink_to(tmp_path / "elsewhere")
    (root / "data/c.csv").symlink_to("a.csv")
    assert names(scan("data", root)) == ["a.csv", "c.csv", "link/sub/b.csv"]


def test_a_loop_of_links_is_refused(root):
    lay(root, "data/a.csv")
    (root / "data/again").symlink_to(root / "data")
    with pytest.raises(SpecError, match="again` is a link to a folder that it lies in"):
        scan("data", root)


def test_a_link_that_leads_nowhere_is_refused_where_it_matches(root):
    lay(root, "data/a.csv")
    (root / "data/gone.csv").symlink_to("nowhere")
    (root / "data/gone.txt").symlink_to("nowhere")
    assert names(scan("data/a*", root)) == ["a.csv"]
    with pytest.raises(SpecError, match=r"gone\.csv` is a link that leads nowhere"):
        scan("data/*.csv", root)


def test_a_pipe_is_refused_and_not_waited_for(root):
    lay(root, "data/a.csv")
    os.mkfifo(root / "data/pipe")
    with pytest.raises(SpecError, match="is no regular file"):
        scan("data", root)


def test_names_are_composed_so_that_two_systems_agree(root, tmp_path):
    lay(root, "data/" + unicodedata.normalize("NFD", "é.csv"))
    lay(tmp_path / "other", "data/" + unicodedata.normalize("NFC", "é.csv"))
    assert scan("data", root).hash == scan("data", tmp_path / "other").hash
    assert names(scan("data/" + unicodedata.normalize("NFC", "é*"), root)) == ["é.csv"]


def test_two_spellings_of_one_name_are_refused(root):
    lay(root, *(f"data/{unicodedata.normalize(form, 'é.csv')}" for form in ("NFC", "NFD")))
    with pytest.raises(SpecError, match=r"two files of the dataset have the name `é\.csv`"):
        scan("data", root)


def test_names_that_differ_in_case_are_two(root):
    lay(root, "data/a.csv", "data/A.csv")
    assert names(scan("data", root)) == ["A.csv", "a.csv"]


@pytest.mark.parametrize("name", ["a\nb.csv", os.fsdecode(b"a\xff.csv")])
def test_a_name_that_not_every_store_holds_is_refused(root, name):
    lay(root, f"data/{name}")
    with pytest.raises(SpecError, match="control character, or bytes that are no text"):
        scan("data", root, DigestCache(root / "cache.db"))


def append(path):
    with path.open("a") as file:
        file.write("more")


def overwrite(path):
    with path.open("r+") as file:
        file.write("y")


def replace(path):
    path.with_suffix(".new").write_text("y" * 3000)
    path.with_suffix(".new").replace(path)
    os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.mark.parametrize("change", [append, overwrite, replace])
def test_a_file_that_changes_while_it_is_read_is_reported(root, monkeypatch, change):
    lay(root, "data/a.bin", content="x" * 3000)
    monkeypatch.setattr(digests, "CHUNK_BYTES", 1000)

    class Writer:
        def advance(self, done, total, label, /):
            if done == 1000:
                change(root / "data/a.bin")

    with pytest.raises(SpecError, match=r"a\.bin` changed while it was read"):
        scan("data/*.bin", root, None, Writer())


def test_an_unchanged_folder_is_not_read_again(root):
    lay(root, *(f"data/{number}.csv" for number in range(1000)))
    cache = DigestCache(root / ".cloudml/cache/digests.db")
    first = scan("data", root, cache)
    lay(root, *(f"data/{number}.csv" for number in range(1000)), content="y")  # of equal size and time
    assert scan("data", root, cache) == first
    assert scan("data", root) != first


def test_a_changed_file_is_read_again(root):
    lay(root, "data/a.csv", "data/b.csv")
    cache = DigestCache(root / "cache.db")
    first = scan("data", root, cache)
    (root / "data/a.csv").write_text("y")
    os.utime(root / "data/a.csv", (LONG_AGO + 1, LONG_AGO + 1))
    assert scan("data", root, cache).hash != first.hash


def test_a_file_that_has_just_changed_is_not_remembered(root):
    lay(root, "data/a.csv")
    now = digests.stamp((root / "data/a.csv").stat())
    cache = DigestCache(root / "cache.db")
    cache.keep([("a", now, "digest")], now.mtime_ns + digests.SETTLED_NS)
    assert cache.known({"a": now}) == {}
    cache.keep([("a", now, "digest")], now.mtime_ns + digests.SETTLED_NS + 1)
    assert cache.known({"a": now}) == {"a": "digest"}


@pytest.mark.parametrize("damage", [b"no database", b""])
def test_a_damaged_cache_counts_as_empty(root, damage):
    lay(root, "data/a.csv")
    cache = DigestCache(root / "cache.db")
    expected = scan("data", root, cache)
    (root / "cache.db").write_bytes(damage * 100)
    assert scan("data", root, cache) == expected
    assert scan("data", root, cache) == expected
    assert cache.known({str(root / "data/a.csv"): digests.stamp((root / "data/a.csv").stat())})


def test_a_cache_that_cannot_be_written_does_not_matter(root):
    lay(root, "data/a.csv", "cache")
    assert names(scan("data", root, DigestCache(root / "cache/digests.db"))) == ["a.csv"]


PARTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(PATHS, st.text("0123456789abcdef", min_size=64, max_size=64), min_size=1, max_size=6)


def manifest(files):
    return Manifest(tuple(Entry(path=path, size=1, digest=digest) for path, digest in files.items()))


@given(FILES, st.randoms())
def test_the_order_in_which_files_are_found_does_not_matter(files, random):
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert manifest(dict(shuffled)).hash == manifest(files).hash


@given(FILES, PATHS)
def test_renaming_a_file_changes_the_hash(files, name):
    old = next(iter(files))
    renamed = {name if path == old else path: digest for path, digest in files.items()}
    assert (manifest(renamed).hash == manifest(files).hash) == (renamed == files)


@given(FILES)
def test_changing_a_file_changes_the_hash(files):
    path = next(iter(files))
    assert manifest(files | {path: "f" * 63 + "z"}).hash != manifest(files).hash


@given(FILES)
def test_a_manifest_survives_being_written(files):
    assert parsed(document(manifest(files), "identity")) == ("identity", manifest(files))


@given(FILES)
def test_a_manifest_is_written_as_indented_json(files):
    written = manifest(files)
    listed = [{"path": entry.path, "size": entry.size, "digest": entry.digest} for entry in written.entries]
    slow = {"format": "cloudml-manifest/1", "hash": "identity", "files": listed}
    assert document(written, "identity") == json.dumps(slow, indent=0, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", "a/./b", "", "a\0b"])
def test_a_manifest_cannot_name_files_outside_its_folder(name):
    with pytest.raises(SpecError, match="the file name"):
        Manifest((Entry(path=name, size=1, digest="d"),))


@pytest.mark.parametrize(
    ("name", "pattern", "meant"),
    [
        ("a/b/c", ("**",), True),
        ("a/b/c", ("a", "**", "c"), True),
        ("a/c", ("a", "**", "c"), True),
        ("a/b/c", ("a", "*"), True),
        ("a/b/c", ("a", "c"), False),
        ("A", ("a",), False),
        (".a", ("*",), False),
        ("a/.b/c", ("**",), False),
    ],
)
def test_patterns(name, pattern, meant):
    assert matches(name, pattern) is meant


def test_a_second_scan_after_a_move_reads_anew(root):
    lay(root, "data/a.csv")
    cache = DigestCache(root / "cache.db")
    first = scan("data", root, cache)
    shutil.move(root / "data", root / "moved")
    assert scan("moved", root, cache).hash == first.hash
