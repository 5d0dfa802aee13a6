"""A page opened in Debian's Chromium from a file, with the network off, driven by Playwright."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WITHOUT_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to open the page in")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def chromium():
    """The browser, for as long as a `with` block runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Visit:
    """A page that has been opened, and everything it complained of or asked for."""

    def __init__(self, browser, file, fragment="", width=1440, height=900, **context):
        self.context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **context)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.page.goto(f"file://{file}{fragment}")
        self.page.wait_for_selector("html[data-drawn]")

    def close(self):
        self.context.close()
        assert not self.complaints
        assert [url for url in self.requests if not url.startswith(("file:", "blob:", "data:"))] == []


def painted(page, selector):
    """Whether each canvas has something on it."""
    script = """canvases => canvases.map(canvas => canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data.some(value => value > 0))"""
    return page.eval_on_selector_all(selector, script)
