"""What a notebook shows of what a call gives: a line as text, a table as HTML, everything escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import cloudml


class Cells(HTMLParser):
    """The words of a page; a tag that is not closed in its place is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)


def shown(one) -> list[str]:
    assert len(repr(one)) < 400, repr(one)
    assert "\n" not in repr(one)
    return Cells(one._repr_html_()).words


def test_everything_that_a_call_gives_shows_itself(shell) -> None:
    project = cloudml.load(shell.folder)
    assert repr(project).startswith("Project('irises': 1 datasets, 3 jobs, 1 models, 1 endpoints, 1 monitors; '")
    assert {"jobs.evaluate", "jobs.train, jobs.prepare"} <= set(shown(project))
    assert repr(project.plan()) == "ProjectPlan(on local: 7 to create)"
    assert {"endpoints.species", "create", "not there yet"} <= set(shown(project.plan()))
    up = project.up()
    assert repr(up) == "UpResult(on local: 7 brought into being, 0 reused)"
    assert {"endpoints.species", "ready", up.statuses["endpoints.species"].url, "0.966667"} <= set(shown(up))
    assert repr(project.plan()) == "ProjectPlan(on local: 7 to reuse)"
    assert repr(project.status()) == "ProjectStatus(irises on local: 7 there)"
    assert {"jobs.train", "succeeded"} <= set(shown(project.status()))
    client = project.client()
    assert repr(client) == "Client(project='irises', target='local', provider='local')"
    assert any("no_data" in word for word in Cells(client.monitors.run("drift")._repr_html_()).words)
    assert {"irises", "the local provider"} <= set(shown(client))
    listed = client.jobs.list()
    assert {"jobs.train", "succeeded"} <= set(Cells(listed._repr_html_()).words)
    job = client.jobs.get("train")
    assert {"state", "succeeded", "shrink: 0.0"} <= set(Cells(job._repr_html_()).words)
    assert "<script>" not in replace(job, reason="<script>")._repr_html_()
    down = project.down()
    assert repr(down) == "DownResult(7 removed from local; nothing is left)"
    assert "jobs.train" in shown(down)


def test_a_rehearsal_shows_what_it_saw(shell) -> None:
    seen = cloudml.load(shell.folder).rehearse()
    assert re.search(r"7 brought into being.* 1 answered, monitors.drift \w+, .*nothing is left", repr(seen))
    assert {"species", "endpoints.species"} & set(Cells(seen._repr_html_()).words)
