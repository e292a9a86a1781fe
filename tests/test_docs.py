"""Pages that come from the code are as the code is now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from cloudml import plugins

ROOT = Path(__file__).parent.parent


def generator():
    specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(generator().PAGES))
def test_a_generated_page_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == generator().PAGES[name](), "run `python docs/generate.py`"


def links() -> list[tuple[str, str]]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/README.md")]
    return [
        (str(page.relative_to(ROOT)), link)
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
        if "://" not in link
    ]


@pytest.mark.parametrize(("page", "link"), links())
def test_a_link_leads_somewhere(page: str, link: str) -> None:
    assert ((ROOT / page).parent / link).exists()


def test_the_page_of_a_provider_has_every_setting_of_its_targets() -> None:
    for name in plugins.names():
        page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
        table = page.partition("| setting |")[2].partition("\n\n")[0]
        told = set(
            re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
        )
        assert set(plugins.plugin(name).settings.model_fields) <= told, name
