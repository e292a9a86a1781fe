"""What code travels, and what changes its identity."""

import io
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from cloudml.errors import ConflictError, SpecError
from cloudml.packing import pack, runtime_archive, runtime_files
from cloudml.profile import page
from cloudml.profile.report import Report, State
from cloudml.source import LARGEST_BYTES, Source, SourceFile, collect


@pytest.fixture
def root(tmp_path):
    return tmp_path / "project"


def lay(root, **contents):
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def paths(source):
    return [file.path for file in source.files]


def travelling(root, script="train.py", **more):
    return set(paths(collect(root, script, **more)))


MODULES = {
    "features.py": "",
    "other.py": "",
    "unwanted.py": "",
    "package/__init__.py": "",
    "package/inner.py": "import other",
    "package/deep/__init__.py": "",
    "package/deep/table.csv": "1",
    "space/part.py": "",
    "space/unwanted.py": "",
}
PACKAGE = {"package/__init__.py", "package/inner.py", "package/deep/__init__.py", "package/deep/table.csv", "other.py"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import features", {"features.py"}),
        ("import numpy, features", {"features.py"}),
        ("from features import x", {"features.py"}),
        ("def f():\n    import features", {"features.py"}),
        ("try:\n    import features\nexcept ImportError:\n    pass", {"features.py"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import features", {"features.py"}),
        ("import package", PACKAGE),
        ("import package.deep.nothing", PACKAGE),
        ("from package.inner import x", PACKAGE),
        ("import space.part", {"space/part.py"}),
        ("from space import part", {"space/part.py"}),
        ("import space", set()),
        ("import importlib\nimportlib.import_module('features')", {"features.py"}),
        ("from importlib import import_module as load\nload('space.part')", {"space/part.py"}),
        ("__import__('features')", {"features.py"}),
        ("import runpy\nrunpy.run_module('features')", {"features.py"}),
        ("import runpy\nrunpy.run_path('space/part.py')", {"space/part.py"}),
        ("import subprocess, sys\nsubprocess.run([sys.executable, 'other.py'])", {"other.py"}),
        ("model.eval()\nprint('features')", set()),
        ("import importlib.util\nimportlib.util.spec_from_file_location('x', 'features.py')", {"features.py"}),
        ("from . import features", {"features.py"}),
        ("from ... import features", set()),
        ("s = '\\d'", set()),
    ],
)
def test_imports_are_followed(root, text, found):
    lay(root, **MODULES, **{"train.py": text})
    always = {"train.py", "package/deep/table.csv"}
    assert travelling(root) == found | always


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module(name)",
        "import importlib\nimportlib.import_module('space.' + name)",
        "from importlib import import_module as load\nload(f'{name}')",
        "__import__(name)",
        "exec(open(path).read())",
        "import runpy\nrunpy.run_path(path)",
        "import pkgutil\npkgutil.iter_modules(['x'])",
        "import importlib.util\nimportlib.util.spec_from_file_location('x', path)",
    ],
)
def test_an_import_that_only_running_can_tell_takes_every_module(root, text):
    lay(root, **MODULES, **{"train.py": text})
    assert travelling(root) == {"train.py", *MODULES}


def test_what_a_script_that_is_no_python_starts_is_not_known(root):
    lay(root, **MODULES, **{"train.sh": "python features.py"})
    assert travelling(root, "train.sh") == {"train.sh", *MODULES}


def test_relative_imports_are_followed_inside_namespaces(root):
    lay(
        root,
        **{"train.py": "import a.b.c", "a/b/c.py": "from . import d\nfrom ..e import f", "a/b/d.py": "", "a/e.py": ""},
    )
    assert travelling(root) == {"train.py", "a/b/c.py", "a/b/d.py", "a/e.py"}


def test_a_module_beside_the_script_comes_before_one_of_the_folder(root):
    lay(root, **{"jobs/train.py": "import near, far", "jobs/near.py": "", "near.py": "", "far.py": ""})
    assert travelling(root, "jobs/train.py") == {"jobs/train.py", "jobs/near.py", "far.py"}


def test_imports_in_a_circle_end(root):
    lay(root, **{"train.py": "import a", "a.py": "import b", "b.py": "import a, train"})
    assert travelling(root) == {"train.py", "a.py", "b.py"}


def test_only_what_the_script_can_import_changes_the_digest(root):
    lay(root, **MODULES, **{"train.py": "import features"})
    before = collect(root, "train.py").digest
    lay(root, **{"unwanted.py": "changed = 1", "space/unwanted.py": "2", "evaluate.py": "", "notes.md": "x"})
    assert collect(root, "train.py").digest == before
    lay(root, **{"features.py": "changed = 1"})
    assert collect(root, "train.py").digest != before


@pytest.mark.parametrize("change", [b"a = 1\r\n", b"a = 1 \n", b"a = 1"])
def test_every_byte_counts(root, change):
    lay(root, **{"train.py": b"a = 1\n"})
    before = collect(root, "train.py").digest
    lay(root, **{"train.py": change})
    assert collect(root, "train.py").digest != before


def test_where_the_folder_lies_and_file_modes_do_not_count(root, tmp_path):
    lay(root, **MODULES, **{"train.py": "import package"})
    lay(tmp_path / "elsewhere", **MODULES, **{"train.py": "import package"})
    (root / "train.py").chmod(0o755)
    assert collect(root, "train.py").digest == collect(tmp_path / "elsewhere", "train.py").digest


def test_the_digest_is_of_names_with_slashes_and_of_contents():
    files = (SourceFile("a/b.py", "0" * 64, 1),)
    one, two = Source(Path("/x"), "a/b.py", files), Source(Path("C:/y"), "a/b.py", files)
    assert one.digest == two.digest == "f7b1d68b189990de8ceb23545de034c4d14c1f0f5e8eabdb42a574befc5b433e"
    assert Source(Path("/x"), "a/b.py", (SourceFile("a_b.py", "0" * 64, 1),)).digest != one.digest


def test_files_that_a_script_may_open_travel_and_documents_do_not(root):
    lay(root, **{"train.py": "", "settings.json": "{}", "sql/query.sql": "", "sub/model.onnx": b"\0"})
    lay(root, **dict.fromkeys(("README.md", "explore.ipynb", "LICENSE", "cloudml.yaml", "requirements.txt"), ""))
    lay(root, **dict.fromkeys((".env", ".git/config", ".hidden/x.json", "__pycache__/x.pyc", "infra/main.tf"), ""))
    lay(
        root, **dict.fromkeys(("outputs/model/model.bin", "_cloudml/metrics.jsonl", "env/pyvenv.cfg", "env/x.json"), "")
    )
    lay(root, **{"node_modules/x.js": "", ".cloudml/state.db": ""})
    assert travelling(root) == {"train.py", "settings.json", "sql/query.sql", "sub/model.onnx"}


def test_a_report_that_was_written_beside_the_code_is_no_code_and_other_pages_are(root):
    report = page(Report(monitor="drift", state=State.NO_DATA, rows=0, baseline_rows=0), {})
    lay(root, **{"train.py": "", "drift.html": report, "template.html": "<!doctype html><title>mine</title>"})
    assert travelling(root) == {"train.py", "template.html"}


def test_git_and_the_user_say_what_is_left_out(root):
    lay(root, **{"train.py": ""}, **{f"{name}.{kind}": "" for name in "abc" for kind in ("json", "log")})
    lay(root, **{"build/x.json": "", "sub/keep.log": "", "sub/x.log": "", "sub/deep/a.json": "", "docs/a.json": ""})
    lay(root, **{".gitignore": "*.log\n/a.json\nbuild/\n# comment\n!c.log\n", "sub/.gitignore": "!keep.log\n/deep\n"})
    lay(root, **{".cloudmlignore": "b.json\ndocs/\n!/a.log\n"})
    assert travelling(root) == {"train.py", "a.log", "c.json", "c.log", "sub/keep.log"}


def test_rules_of_the_folders_above_count_up_to_the_repository(root):
    lay(
        root, **{"ml/train.py": "", "ml/x.log": "", "ml/y.tmp": "", ".git/HEAD": "", ".gitignore": "*.log\n/ml/y.tmp\n"}
    )
    lay(root.parent, **{".gitignore": "train.py\n*.py\n"})
    assert travelling(root / "ml") == {"train.py"}


def test_a_folder_that_git_ignores_can_be_worked_in(root):
    lay(root, **{"scratch/train.py": "import a", "scratch/a.py": "", "scratch/x.json": "", ".git/HEAD": ""})
    lay(root, **{".gitignore": "scratch/\n"})
    assert travelling(root / "scratch") == {"train.py", "a.py", "x.json"}


def test_an_imported_module_travels_though_git_ignores_it_unless_the_user_does(root):
    lay(root, **{"train.py": "import generated, wire.types, secret", "generated.py": "", "secret.py": ""})
    lay(root, **{"wire/__init__.py": "", "wire/types.py": ""})
    lay(root, **{".gitignore": "generated.py\nwire/\nsecret.py\n", ".cloudmlignore": "secret.py\n"})
    assert travelling(root) == {"train.py", "generated.py", "wire/__init__.py", "wire/types.py"}


@pytest.mark.parametrize("exclude", ["data/*.csv", "data", "./data/", "../project/data/*.csv", "{root}/data/**"])
def test_datasets_do_not_travel_but_modules_beside_them_do(root, exclude):
    lay(root, **{"train.py": "import data.loader", "data/loader.py": "", "data/a.csv": "", "data.csv": ""})
    found = travelling(root, exclude=(exclude.format(root=root),))
    assert found == {"train.py", "data/loader.py", "data.csv"}


def test_a_large_file_is_refused_unless_it_is_asked_for(root):
    lay(root, **{"train.py": "", "weights.bin": b""})
    os.truncate(root / "weights.bin", LARGEST_BYTES + 1)
    with pytest.raises(SpecError, match=r"`weights\.bin` would travel with the code, has 10 MB") as caught:
        collect(root, "train.py")
    assert "declare it as a dataset" in caught.value.hint
    assert "weights.bin" in travelling(root, entry_points=("weights.bin",))
    assert "weights.bin" not in travelling(root, exclude=("*.bin",))


def test_more_entry_points_are_followed_too(root):
    lay(root, **MODULES, **{"train.py": "", "predict.py": "import features"})
    assert travelling(root, entry_points=("predict.py",)) >= {"train.py", "predict.py", "features.py"}


def test_a_missing_script_names_the_nearest(root):
    lay(root, **{"training/train.py": ""})
    with pytest.raises(SpecError, match=r"`training/trian\.py` is not in") as caught:
        collect(root, "training/trian.py")
    assert caught.value.hint == "did you mean `training/train.py`?"


def test_a_script_outside_the_folder_is_refused(root):
    lay(root, **{"src/a.py": "", "train.py": ""})
    with pytest.raises(SpecError, match=r"`\.\./train\.py` lies outside the source folder"):
        collect(root / "src", "../train.py")


def test_a_missing_folder_is_refused(root):
    with pytest.raises(SpecError, match="does not exist"):
        collect(root / "none", "train.py")


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = (", 2), ("x\0", 1), ("def f(:", 1)])
def test_an_error_of_syntax_says_where(root, text, line):
    lay(root, **{"train.py": "import features", "features.py": text})
    with pytest.raises(SpecError, match=rf"`features\.py`, line {line}: ") as caught:
        collect(root, "train.py")
    assert caught.value.where == f"{root / 'features.py'}:{line}"


def test_an_error_of_syntax_in_a_file_that_is_not_imported_does_not_matter(root):
    lay(root, **{"train.py": "", "draft.py": "def f(:"})
    assert travelling(root) == {"train.py"}


def test_a_loop_of_links_ends(root):
    lay(root, **{"train.py": "", "sub/a.json": ""})
    (root / "sub/again").symlink_to(root / "sub")
    assert travelling(root) == {"train.py", "sub/a.json"}


def test_code_is_laid_out_as_a_folder(root, tmp_path):
    lay(root, **MODULES, **{"train.py": "import package", "run.sh": "echo", "unused.py": ""})
    (root / "run.sh").chmod(0o755)
    source = collect(root, "train.py")
    folder = pack(source, tmp_path / "runs/code")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == paths(source)
    assert os.access(folder / "run.sh", os.X_OK)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["code"]
    (root / "train.py").write_text("edited = 1")
    assert (folder / "train.py").read_text() == "import package"


def test_laying_out_again_leaves_the_folder_as_it_is(root, tmp_path):
    lay(root, **{"train.py": "a = 1"})
    source = collect(root, "train.py")
    folder = pack(source, tmp_path / "code")
    (folder / "made-by-the-run").write_text("x")
    assert pack(source, folder) == folder
    assert (folder / "made-by-the-run").exists()


def test_code_is_laid_out_in_an_empty_folder(root, tmp_path):
    lay(root, **{"train.py": "a = 1"})
    (tmp_path / "code").mkdir()
    assert (pack(collect(root, "train.py"), tmp_path / "code") / "train.py").exists()


def test_a_folder_with_other_code_is_refused(root, tmp_path):
    lay(root, **{"train.py": "a = 1"})
    (tmp_path / "code").mkdir()
    (tmp_path / "code/x").write_text("x")
    with pytest.raises(ConflictError, match="does not hold that code"):
        pack(collect(root, "train.py"), tmp_path / "code")


def test_code_that_changed_since_it_was_collected_is_reported(root, tmp_path):
    lay(root, **{"train.py": "a = 1"})
    source = collect(root, "train.py")
    lay(root, **{"train.py": "a = 2"})
    with pytest.raises(SpecError, match=r"train\.py` changed"):
        pack(source, tmp_path / "code")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_several_that_lay_out_at_once_make_one_folder(root, tmp_path):
    lay(root, **{"train.py": ""}, **{f"{number}.json": str(number) for number in range(50)})
    source = collect(root, "train.py")
    begin = threading.Barrier(4)
    results = []

    def work():
        begin.wait()
        results.append(pack(source, tmp_path / "runs/code"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [tmp_path / "runs/code"] * 4
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["code"]
    assert len(list((tmp_path / "runs/code").iterdir())) == 51


def test_nothing_heavy_is_imported_before_it_is_needed():
    program = (
        "import sys, cloudml.storage, cloudml.source; print({'obstore', 'pathspec', 'sqlite3', 'ssl'} & {*sys.modules})"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"set()\n"


def test_the_runtime_is_importable_from_the_one_file_that_travels(tmp_path):
    archive = tmp_path / "runtime.zip"
    archive.write_bytes(runtime_archive())
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); import cloudml.runtime; print(cloudml.runtime.__file__)"
    )
    command = [sys.executable, "-S", "-E", "-c", program]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(printed.strip()) == archive / "cloudml/runtime/__init__.py"
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_the_archive_of_the_runtime_is_the_same_whenever_it_is_made():
    made = runtime_archive()
    runtime_archive.cache_clear()
    assert runtime_archive() == made
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == runtime_files()
