"""The documentation keeps its word: links lead somewhere, commands exist, generated pages are fresh."""

import re
import tomllib
from pathlib import Path

import pytest

from tools import document
from tools.render import template

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("client/*.md")])
FENCE = re.compile(r"```.*?```", re.DOTALL)


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures that lead to no other site."""
    found = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text()))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading(page: Path) -> None:
    dead = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)

    assert dead == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, to_read = set(), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        reached.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page) if not link.startswith("#")}
        to_read += [target for target in targets if target.suffix == ".md" and target not in reached]

    assert reached >= set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_of_prose_has_more_than_120_columns(page: Path) -> None:
    """Outside of code, tables, headings and pictures; a single long word stays whole."""
    lines = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text()).splitlines()
    prose = [line for line in lines if not re.match(r"\s*(\||#|!\[|(- )?\S+$)", line)]

    assert [line for line in prose if len(line) > 120] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_of_a_page_exists(page: Path) -> None:
    code = re.findall(r"`+([^`]+)`+", page.read_text())
    named = {target for part in code for target in re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", part)}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named <= targets


def test_the_readme_stays_short_and_its_picture_small() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 110
    assert (ROOT / "docs" / "contact-sheet.webp").stat().st_size < 300_000


def test_every_page_that_is_made_from_code_or_template_is_fresh() -> None:
    document.check()


def test_a_stale_page_fails_the_check_and_writing_mends_it(tmp_path: Path) -> None:
    for path in document.pages(document.DOCS):
        (tmp_path / path.name).write_text(re.sub("[Uu]ploads?", "elsewhere", path.read_text()))

    with pytest.raises(SystemExit, match=r"^stale: openapi\.json, api\.md, configuration\.md\. Run `make docs`$"):
        document.check(tmp_path)
    document.write(tmp_path)
    document.check(tmp_path)


def test_the_configuration_page_spells_every_name_out() -> None:
    text = (document.DOCS / "configuration.md").read_text()
    variables = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    for resource in template()["Resources"].values():
        variables |= set(resource.get("Properties", {}).get("Environment", {}).get("Variables", {}))
    of_the_stack = {
        "JOBS_BUCKET",
        "SECRET_ARN",
        "SIGNING_SECRET_ARN",
        "STATE_MACHINE_ARN",
        "DEAD_LETTER_QUEUE_URL",
        "POWERTOOLS_METRICS_NAMESPACE",
    }

    assert [name for name in template()["Parameters"] if f"| `{name}` |" not in text] == []
    assert [name for name in variables - of_the_stack if f"`{name}`" not in text] == []


def test_every_decision_has_its_date_and_what_would_change_it() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    entries = [part for part in text.split("\n\n") if part.startswith("**")]

    assert entries
    for entry in entries:
        assert re.match(r"\*\*20\d\d-\d\d-\d\d · ", entry), entry[:60]
        assert "*Else:*" in entry, entry[:60]
        assert "*Would change it:*" in " ".join(entry.split()), entry[:60]


def test_the_security_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", (ROOT / "docs" / "security.md").read_text())

    assert len(named) > 20
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or re.search(rf"^ *def {test}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{test}"


def test_the_licence_is_the_one_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (ROOT / "LICENSE").read_text().startswith(f"{project['license']} License")
