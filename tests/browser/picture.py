"""Takes the picture of the page for the README, from a page that runs: one question, its answer, one source opened.

python -m tests.browser.picture http://127.0.0.1:7860 "How many days of leave do I get?" tests/quality/page.png
"""

from __future__ import annotations

import sys

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS


def take(address: str, question: str, target: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1320, "height": 780})
        page.goto(address)
        page.wait_for_selector("#send:enabled", timeout=120_000)
        page.fill("#question textarea", question)
        page.press("#question textarea", "Enter")
        page.wait_for_selector(".answer.over", timeout=120_000)
        page.click(".body .cite")
        page.wait_for_timeout(600)
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    take(*sys.argv[1:4])
