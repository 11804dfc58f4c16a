"""For all tests: processes that they start can be interrupted, also where make runs in the background."""

import signal


def pytest_configure() -> None:
    """Take SIGINT as a terminal would let it be."""
    # A shell lets what it starts with `&` ignore SIGINT, and every process below inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
