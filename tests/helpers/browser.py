"""A headless Chromium for the tests of the page, driven with selenium; None where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str | None:
    """Why no browser can be driven here, or None."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (pip install -e '.[dev]')"
    if not _first(*BROWSERS):
        return "no Chromium (apt-get install chromium chromium-driver)"
    if not _first("chromedriver"):
        return "no chromedriver (apt-get install chromium-driver)"
    return None


def _first(*names: str) -> str | None:
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def opened(width: int = 1280, height: int = 900) -> Iterator:
    """A selenium driver of a browser of its own without network, closed in the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = _first(*BROWSERS)
    for flag in (
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",  # containers have little
        "--no-first-run",
        "--disable-background-networking",
        "--proxy-server=127.0.0.1:9",  # nothing listens: a request of the page would fail, and log
        "--force-color-profile=srgb",
    ):
        options.add_argument(flag)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(_first("chromedriver")))
    try:
        resize(driver, width, height)
        yield driver
    finally:
        driver.quit()


def resize(driver, width: int, height: int = 900) -> None:
    """Give the page exactly this many CSS pixels: a window has a smallest size, a page has not."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def errors(driver) -> list[str]:
    """What the console has had to say since the last call, if it is a warning or worse."""
    return [e["message"] for e in driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
