"""Every test of this room runs with one thread."""

from tests.helpers.threads import one_thread  # noqa: F401, a fixture
