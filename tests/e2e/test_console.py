"""The page for people, GET /console, in a real browser, at a stack that asks for API keys."""

import base64
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from local.stack import StackInfo
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Locator, Page, Request

_NARROW = {"width": 390, "height": 844}
_WIDE = {"width": 1280, "height": 900}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium, headless."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip(f"the console was not tested: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers do not have; it shows our own page alone.
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(params=[_WIDE], ids=["wide"])
def page(browser: "Browser", with_keys: StackInfo, request: pytest.FixtureRequest) -> Iterator["Page"]:
    """The console in a fresh tab. At its end nothing went wrong in it, and it talked to no other host."""
    tab = browser.new_context(viewport=request.param, accept_downloads=True).new_page()
    tab.set_default_timeout(PATIENCE * 1000)
    problems: list[str] = []
    # A refusal is an answer 4xx, which the browser itself writes to its console.
    tab.on(
        "console", lambda message: problems.append(message.text) if _is_problem(message.text, message.type) else None
    )
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda sent: problems.append(sent.url) if _is_elsewhere(sent) else None)
    tab.goto(f"{with_keys.api_url}/console")
    yield tab
    tab.context.close()
    assert problems == []


def _is_problem(text: str, kind: str) -> bool:
    return kind in ("error", "warning") and "responded with a status of 4" not in text


def _is_elsewhere(sent: "Request") -> bool:
    return not sent.url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def give_key(page: "Page", key: str) -> None:
    page.get_by_label("Key or token").fill(key)
    page.get_by_role("button", name="Use it").click()


@pytest.fixture
def console(page: "Page", api_key: str) -> "Page":
    """The console after its key was given."""
    give_key(page, api_key)
    expect(page.get_by_text("connected", exact=True)).to_be_visible()
    return page


def choose(page: "Page", *files: tuple[str, bytes]) -> None:
    payloads: list[FilePayload] = [{"name": name, "mimeType": "image/png", "buffer": body} for name, body in files]
    page.locator("#files").set_input_files(payloads)


def state(page: "Page") -> "Locator":
    """The state of the job that is shown."""
    return page.locator("#job .state")


def assert_accessible(page: "Page") -> None:
    """Nothing is cut off at the side, and none of axe's rules is broken."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []


def test_a_picture_is_dropped_and_seen_done(console: "Page") -> None:
    body = base64.b64encode(picture(colour="firebrick")).decode()
    dropped = console.evaluate_handle(
        """encoded => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
            transfer.items.add(new File([bytes], "barn.png", { type: "image/png" }));
            return transfer;
        }""",
        body,
    )
    console.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    console.get_by_label("What should change?").fill("make it gold")
    console.get_by_role("button", name="Edit", exact=True).click()

    expect(state(console)).to_have_text("completed", timeout=PATIENCE * 1000)
    expect(console.get_by_alt_text("barn.png before")).to_be_visible()
    assert (
        console.get_by_alt_text("barn.png after").evaluate("picture => picture.complete && picture.naturalWidth") == 64
    )
    shown = "frame => frame.style.getPropertyValue('--at')"
    console.get_by_label("How much of barn.png is shown").press("Home")
    assert console.locator(".compare").evaluate(shown) == "0%"
    console.locator(".compare").click(position={"x": 48, "y": 24})
    assert int(console.locator(".compare").evaluate(shown).removesuffix("%")) in range(65, 86)
    expect(console.get_by_role("link", name="Download")).to_be_visible()
    # Who comes back to the tab finds the job again, by its address too.
    console.reload()
    expect(state(console)).to_have_text("completed")
    expect(console.locator("#jobs li").first).to_contain_text("make it gold")


def test_a_batch_of_twelve_shows_which_one_failed_and_why(console: "Page", tmp_path: Path) -> None:
    fine = [(f"photo-{number:02}.png", picture(colour="teal")) for number in range(11)]
    choose(console, *fine, ("refused.png", picture(text={"fault": "moderation"})))
    console.get_by_label("What should change?").fill("make it purple")
    console.get_by_role("button", name="What would it cost?").click()
    expect(console.get_by_text("dry run: 12 images would be edited")).to_be_visible(timeout=PATIENCE * 1000)
    expect(console.locator("#job-title")).to_contain_text("Estimate")
    console.get_by_role("button", name="Edit 12 pictures").click()

    expect(state(console)).to_have_text("with errors", timeout=PATIENCE * 1000)
    expect(console.get_by_text("12 of 12 done, 1 failed")).to_be_visible()
    failed = console.locator(".tile.failed")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("refused.png")
    expect(failed).to_contain_text("safety system")
    assert [entry.partition(",")[0] for entry in console.locator("#jobs .when").all_inner_texts()[:2]] == [
        "Batch",
        "Estimate",
    ]
    assert_accessible(console)
    console.get_by_role("button", name="Compare photo-03.png before and after").click()
    expect(console.get_by_role("dialog").get_by_alt_text("photo-03.png after")).to_be_visible()
    assert_accessible(console)
    console.keyboard.press("Escape")
    with console.expect_download() as saved:
        console.get_by_role("button", name="Download all").click()
    saved.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [f"photo-{number:02}_modified.png" for number in range(11)]
        assert archive.read("photo-00_modified.png").startswith(b"\x89PNG")

    first = console.locator("#job-title").inner_text()
    console.get_by_role("button", name="Retry the failed ones").click()
    expect(console.locator("#job-title")).not_to_have_text(first)
    expect(console.get_by_text("1 of 1 done, 1 failed")).to_be_visible(timeout=PATIENCE * 1000)


def test_a_job_is_cancelled(console: "Page") -> None:
    choose(console, ("waiting.png", picture(text={"fault": "rate_limit"})))
    console.get_by_label("What should change?").fill("make it blue")
    console.get_by_role("button", name="Edit", exact=True).click()

    console.get_by_role("button", name="Cancel").click()

    expect(state(console)).to_have_text("cancelled", timeout=PATIENCE * 1000)


def test_a_wrong_key_is_refused_with_the_services_reason(page: "Page", api_key: str) -> None:
    give_key(page, "guessed-guessed-guessed-guessed")

    expect(page.locator("#access-problem")).to_contain_text("x-api-key")
    expect(page.locator("#service")).to_have_text("needs a key")
    give_key(page, api_key)
    expect(page.locator("#service")).to_have_text("connected")


def test_an_open_service_is_said_to_ask_for_no_key(page: "Page", stack: StackInfo) -> None:
    page.goto(f"{stack.api_url}/console")
    expect(page.locator("#service")).to_have_text("connected")
    page.get_by_role("button", name="Access").click()

    expect(page.get_by_role("dialog")).to_contain_text("This service asks for no key")
    expect(page.get_by_label("Key or token")).to_be_hidden()


@pytest.mark.parametrize("page", [_NARROW], indirect=True, ids=["narrow"])
def test_what_the_service_says_is_told_to_a_person_beside_a_button_to_close_it(console: "Page") -> None:
    choose(console, ("notes.png", b"milk, bread, butter and a dozen eggs"))
    console.get_by_label("What should change?").fill("make it gold")
    console.get_by_role("button", name="Edit", exact=True).click()
    expect(console.locator("#problem")).to_contain_text("The file is plain text: expected PNG")

    console.evaluate("location.hash = '00000000-0000-4000-8000-000000000000'")
    expect(console.locator("#job .problem")).to_contain_text("There is no job 00000000")
    expect(console.locator("#job")).not_to_contain_text("Reading")
    console.get_by_role("button", name="Remove notes.png").click()
    choose(console, ("barn.png", picture()))
    console.get_by_role("button", name="Edit", exact=True).click()
    expect(state(console)).to_have_text("completed", timeout=PATIENCE * 1000)
    boxes = [
        part.bounding_box()
        for part in (console.locator("#job-title"), state(console), console.get_by_role("button", name="Close"))
    ]
    assert len({round(box["y"] + box["height"] / 2) for box in boxes if box}) == 1, "all of it is on one line"


@pytest.mark.parametrize("page", [_NARROW, _WIDE], indirect=True, ids=["narrow", "wide"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_part_can_be_reached_read_and_heard(console: "Page", scheme: str) -> None:
    console.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    choose(console, ("one.png", picture()), ("two.png", picture()))
    console.get_by_text("Model and options").click()

    assert_accessible(console)


def test_a_file_that_is_no_picture_is_left_out_and_told(console: "Page") -> None:
    notes: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    console.locator("#files").set_input_files(notes)

    expect(console.get_by_role("alert")).to_have_text("1 file is not a picture and is left out.")
    expect(console.locator("#chosen li")).to_have_count(0)


def test_the_apis_page_tries_a_job_at_the_first_click(page: "Page", with_keys: StackInfo, api_key: str) -> None:
    page.goto(f"{with_keys.api_url}/docs")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("Value:").fill(api_key)
    page.get_by_label("Apply credentials").click()
    page.get_by_role("button", name="Close", exact=True).click()
    page.locator("#operations-Jobs-processImageAsyncToCos .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".live-responses-table tbody .response-col_status")).to_have_text(
        "202", timeout=PATIENCE * 1000
    )
