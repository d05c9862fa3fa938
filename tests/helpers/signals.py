"""What a process that a test starts must hear, whatever this one was told to ignore."""

from __future__ import annotations

import signal


def hear() -> None:
    """Undo what `nohup` or a shell's `&` had this process ignore; a `preexec_fn`."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
