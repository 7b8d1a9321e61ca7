"""The leaderboard in a browser, from disk: sorting, filters, address, keyboard, themes; and it asks for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from written_records import TEST_ORACLE, entry, reference, write_study

from harness.cli import main
from harness.reading.site.write import write_site
from harness.records.lines import Paid
from harness.registry import Registry
from harness.search.budget import Budget

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium, chromium-browser or google-chrome on the PATH")

REFERENCE = Path(__file__).resolve().parents[4] / "results" / "reference"
HOSTILE = "<script>document.title = 'taken'</script>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    runs = []
    for k, task in enumerate(["toy/a", "toy/b", "other/c"]):
        runs += entry("alpha", [80.0 + k + s / 10 for s in range(8)], task=task)
        runs += entry("beta", [60.0 + k + s / 10 for s in range(8)], task=task)
        runs += entry(HOSTILE, [70.0 + k + s / 10 for s in range(8)], task=task)
        runs += entry("broken", [95.0] * 7 + [None], task=task)
        runs += entry("cheat", [94.0 + s / 10 for s in range(8)], task=task, mode="paper", scoring=TEST_ORACLE)
        runs += reference([65.0 + s / 10 for s in range(8)], task=task)
    larger: dict[str, Any] = {"task": "toy/a", "budget": Budget(queries=200), "paid": Paid(200)}
    runs += entry("alpha", [82.5 + s / 10 for s in range(8)], **larger)
    runs += reference([65.0 + s / 10 for s in range(8)], **larger)
    registry = Registry()
    results = folder / "results"
    study = write_study(results / "study", runs)
    shutil.copy(REFERENCE / "published.toml", results)
    write_site([results], folder / "site", lambda: registry)
    main(["report", str(study), "--format", "html", "--output", str(folder / "report.html")])
    return folder / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, site: Path) -> Iterator[Any]:
    """A page on the overview; afterwards: nothing was said on the console, and no request left the site's folder."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []


def names(page: Any, table: str = "results") -> list[str]:
    return [text.strip() for text in page.locator(f"#{table} tbody tr:visible th").all_inner_texts()]


def test_every_page_opens_without_a_word(page: Any, site: Path) -> None:
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.title().endswith("· NAS leaderboard")
        assert page.locator("main h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_sorting_keeps_what_breaks_a_rule_below_and_stands_in_the_address(page: Any) -> None:
    head = page.locator("#results thead button", has_text="RI %")
    head.click()
    strict = [n for n in names(page) if n != "cheat"]
    assert page.locator("#results tbody tr").first.get_attribute("data-budget") == "200 queries"
    assert strict[0] == "alpha"  # with 200 queries
    assert strict[-3:] == ["broken"] * 3
    assert page.locator("#results th[aria-sort=descending]").count() == 1
    head.click()
    assert next(n for n in names(page) if n != "cheat") == "beta"
    assert "sort=results.2.up" in page.url
    order, address = names(page), page.url
    page.goto("about:blank")
    page.goto(address)
    assert names(page) == order
    page.select_option("[name=compliance]", "mixed")
    head.click()
    assert next(n for n in names(page) if n != "cheat") == "broken"


def test_filters_stand_in_the_address_and_come_back(page: Any) -> None:
    assert page.locator("#count").inner_text() == "16 of 16 lines"
    page.select_option("[name=task]", "toy/a")
    page.select_option("[name=mode]", "strict")
    page.select_option("[name=budget]", "100 queries")
    page.select_option("[name=compliance]", "compliant")
    assert sorted(names(page)) == sorted([HOSTILE, "alpha", "beta"])
    assert not page.locator("#rankings").is_visible()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert page.locator("[name=task]").input_value() == "toy/a"
    assert page.locator("#count").inner_text() == "3 of 16 lines"
    page.click("text=Clear")
    assert page.locator("#count").inner_text() == "16 of 16 lines"
    page.select_option("[name=benchmark]", "other")
    assert len(names(page)) == 5


def test_rankings_with_what_breaks_a_rule_are_shown_on_request_only(page: Any) -> None:
    ranked = page.locator(".ranking:visible h3")
    assert not [t for t in ranked.all_inner_texts() if "break a rule" in t]
    page.select_option("[name=compliance]", "mixed")
    assert [t for t in ranked.all_inner_texts() if "break a rule" in t]


def test_the_keyboard_reaches_filters_and_heads(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#results') && document.activeElement.className") == "sort":
            break
    page.keyboard.press("Enter")
    assert page.locator("#results th[aria-sort]").count() == 1


def test_light_and_dark_follow_the_system_and_the_button(browser: Any, site: Path) -> None:
    def paper(page: Any, colour: str) -> None:
        """Wait for it: a browser on a busy machine takes the system's scheme some time after the page."""
        page.wait_for_function("want => getComputedStyle(document.body).backgroundColor === want", arg=colour)

    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    paper(page, "rgb(18, 22, 28)")
    page.click("#theme")
    paper(page, "rgb(255, 255, 255)")
    page.reload()
    paper(page, "rgb(255, 255, 255)")  # kept
    context.close()


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="no axe-core: pip install axe-playwright-python")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_core_finds_nothing_serious(browser: Any, site: Path, scheme: str) -> None:
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    axe = (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    by_template = [sorted((site / kind).glob("*.html"))[:1] for kind in ("runs", "settings", "strategies")]
    if scheme == "dark":  # what may differ is colours, and these two have all of them
        by_template = [sorted(site.glob("settings/*.html"))[:1]]
    for path in [site.parent / "report.html", *site.glob("*.html"), *chain.from_iterable(by_template)]:
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert found["passes"]
        wrong = [
            (v["id"], v["nodes"][0]["html"]) for v in found["violations"] if v["impact"] in ("serious", "critical")
        ]
        assert wrong == [], path
    context.close()


def test_a_run_has_an_address_of_its_own(page: Any, site: Path) -> None:
    page.goto(next(site.glob("settings/*toy-b*")).as_uri())
    page.locator("tbody tr", has_text="alpha").locator("td a", has_text="8").click()
    assert page.locator("details.run").count() == 8
    page.goto(f"{page.url}#seed-3")
    opened = page.locator("details.run[open]")
    assert opened.count() == 1
    assert opened.locator("summary").inner_text().startswith("Seed 3: 81.30")
    assert "nas-harness results show study " in opened.inner_text()
    assert "nas-harness replay study " in opened.inner_text()


def test_a_point_of_a_figure_says_which_run_it_is(page: Any, site: Path) -> None:
    page.goto(next(site.glob("settings/*toy-b*")).as_uri())
    told = page.locator("figure .mark.seed > title").all_text_contents()
    assert "alpha, seed 3: 81.3" in told
