"""Shared by the tests of the report: a suite's full report, a page of hostile names, a browser."""

from __future__ import annotations

import pytest

from benchmark import report
from benchmark.report.figures import draw
from tests.helpers import browser, report_page
from tests.helpers import suite_records as fakes


@pytest.fixture(scope="session")
def complete(tmp_path_factory):
    """A complete suite of records: (units, records, results folder)."""
    results = tmp_path_factory.mktemp("full") / "cimlic" / "miniature"
    units = fakes.units()
    records = [fakes.record(u) for u in units]
    return units, records, fakes.store(results, records)


@pytest.fixture(scope="session")
def full(complete):
    """The same with its report beside the records."""
    report.write(complete[0], complete[2])
    return complete


@pytest.fixture(scope="session")
def again(complete, tmp_path_factory):
    """The folder of the same report, of records stored in another order, drawn by two processes."""
    units, records, _ = complete
    results = fakes.store(tmp_path_factory.mktemp("again"), list(reversed(records)))
    return report.write(units, results, workers=2).parent


@pytest.fixture
def no_figures(monkeypatch):
    """Nothing is drawn, which takes most of a report's time."""
    monkeypatch.setattr(draw, "_kinds", lambda *parts: ())


@pytest.fixture(scope="session")
def drawn():
    """Figures for a page."""
    return report_page.drawn()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A grid with names that a page must not run."""
    return report_page.grid(tmp_path_factory.mktemp("page") / "cimlic" / "miniature")


@pytest.fixture(scope="session")
def text(hostile, drawn):
    """The page of the hostile grid."""
    return report_page.page(hostile, drawn, report_page.pairs())


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests that need one; they are skipped where there is none."""
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.opened() as driver:
        yield driver
