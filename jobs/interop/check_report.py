"""Checks HTML reports in headless Chromium: check_report.py CHROMIUM DIRECTORY PAGE ..."""

import functools
import pathlib
import re
import statistics
import sys

from axe_playwright_python.sync_playwright import Axe
from outcome import expect, run
from playwright.sync_api import sync_playwright

WIDTHS = {"desktop": 1280, "phone": 390}
MOST_BYTES = 2_000_000
MOST_MILLISECONDS = 1000
LOADS = 5
FLAGS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
A4_WITHOUT_MARGINS = 688  # 182 mm in CSS pixels


def opened(browser, page, width, scheme):
    """Opens a page, and notes console messages and requests for anything else."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    tab.noted = []
    tab.on("console", lambda message: tab.noted.append(f"console {message.type}: {message.text}"))
    tab.on("pageerror", lambda error: tab.noted.append(f"error: {error}"))
    tab.on("request", lambda request: request.url == page.as_uri() or request.url.startswith("data:") or tab.noted.append(request.url))
    tab.goto(page.as_uri())
    return tab


def shown(browser, page, name, scheme):
    tab = opened(browser, page, WIDTHS[name], scheme)
    try:
        tab.screenshot(path=page.with_name(f"{page.stem}-{name}-{scheme}.png"), full_page=True)
        tab.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
        widest = tab.evaluate("document.documentElement.scrollWidth")
        expect(widest <= WIDTHS[name], f"the page is {widest} pixels wide")
        found = [each for each in Axe().run(tab).response["violations"] if each["impact"] in ("serious", "critical")]
        told = [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found]
        expect(not found, f"axe found {'; '.join(told)}")
        expect(not tab.noted, f"noted {tab.noted[:3]}")
        titles = tab.locator("svg[role=img] > title").count()
        expect(titles == tab.locator("svg").count(), "a chart has no title")
        return f"{titles} charts, {tab.locator('table').count()} tables, nothing noted, no serious finding"
    finally:
        tab.context.close()


def channels(color):
    return [int(number) for number in re.findall(r"\d+", color)[:3]]


def printed(browser, page):
    tab = opened(browser, page, A4_WITHOUT_MARGINS, "dark")
    try:
        tab.emulate_media(media="print")
        ink = tab.evaluate("getComputedStyle(document.querySelector('.chart text, h1')).fill")
        expect(max(channels(ink)) < 128, f"charts are printed in light ink ({ink})")
        tab.pdf(path=page.with_suffix(".pdf"), format="A4", prefer_css_page_size=True, print_background=True)
        cut = tab.locator(".scroll").evaluate_all(
            "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.querySelector('caption').textContent)"
        )
        expect(not cut, f"tables are cut off: {cut}")
        return f"{page.with_suffix('.pdf').stat().st_size:,} bytes as PDF, no table cut off"
    finally:
        tab.context.close()


def small(page):
    size = page.stat().st_size
    expect(size < MOST_BYTES, f"{size:,} bytes")
    return f"{size:,} bytes"


def quick(browser, page):
    times = []
    for _ in range(LOADS):
        tab = opened(browser, page, 1280, "light")
        tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        times.append(tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        tab.context.close()
    median = statistics.median(times)
    expect(median < MOST_MILLISECONDS, f"loads in {median:.0f} ms")
    return f"loads in {median:.0f} ms (median of {LOADS})"


def main():
    chromium, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, chromium_sandbox=False)
        checks = {}
        for name in sys.argv[3:]:
            page = directory / f"{name}.html"
            checks[f"{name}: size"] = functools.partial(small, page)
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    checks[f"{name}: {width}, {scheme}"] = functools.partial(shown, browser, page, width, scheme)
            checks[f"{name}: print"] = functools.partial(printed, browser, page)
            checks[f"{name}: time"] = functools.partial(quick, browser, page)
        run(checks)


if __name__ == "__main__":
    main()
