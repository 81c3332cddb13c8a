"""`python -m stack`."""

from __future__ import annotations

import signal
import sys

# Ctrl-C during the slow imports: nothing has started yet, and a traceback would help nobody.
if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from avro_data_contracts.stack.cli import main

sys.exit(main())
