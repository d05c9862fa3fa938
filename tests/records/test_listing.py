"""Which units are settled, by the names of their files."""

from __future__ import annotations

from benchmark.records import store
from benchmark.records.listing import Listing
from tests.helpers import suite_records


def test_it_says_what_a_record_store_says_and_hears_of_others(tmp_path):
    folder = store.paths(tmp_path, "cimlic", "miniature")
    folder.records.mkdir(parents=True)
    done, failed, later, old = suite_records.units(["coop", "hpdval"], ["voc-lt"], 2)
    for unit in (done, old):
        store.write(folder, unit, suite_records.record(unit))
    names = ("key", "suite", "scale", "task", "label")
    record = suite_records.record(failed)
    failure = {name: record[name] for name in names}
    store.write(folder, failed, failure | {"status": "failed", "kind": "error", "error": "x"})
    stale = store.outdated(folder, {old.key})
    del stale[str(folder.error(failed))]
    found, known = Listing(folder, stale), store.RecordStore(folder, stale)
    known.scan()
    units = (done, failed, later, old)
    assert [found.settled(u) for u in units] == [known.settled(u) for u in units]
    assert [found.settled_now(u) for u in units] == [True, True, False, False]
    for unit in (later, old):
        store.write(folder, unit, suite_records.record(unit, seconds={"fit": 1.0}))
    assert found.settled(later) is False  # nobody has asked the disk
    assert found.settled_now(later) and found.settled(later) and found.settled(old)


def test_a_record_that_was_read_and_does_not_count_is_stale_for_it(tmp_path):
    """Cut off, or without the oracle that is asked for."""
    folder = store.paths(tmp_path, "cimlic", "miniature")
    cut, plain = units = suite_records.units(["coop"], ["voc-lt"], 2)
    for unit in units:
        store.write(folder, unit, suite_records.record(unit))
    folder.record(cut).write_text("{")
    known = store.RecordStore(folder, oracle=True, complain=lambda line: None)
    known.scan()
    found = Listing(folder, known.uncounted(units))
    assert not any(found.settled(unit) or found.settled_now(unit) for unit in units)
    assert Listing(folder, {}).settled(plain)
