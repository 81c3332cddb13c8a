"""`python -m stack`."""

from __future__ import annotations

import signal
import sys

# Ctrl-C while the imports take their time: nothing is begun yet, and nobody wants to read a traceback.
if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from stack.cli import main

sys.exit(main())
