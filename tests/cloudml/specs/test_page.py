from pathlib import Path

from cloudml.specs.page import page

PAGE = Path(__file__).parents[3] / "docs" / "project-file.md"


def test_the_reference_page_is_that_of_the_models():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m cloudml.specs.page docs/project-file.md`"
