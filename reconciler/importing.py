"""Large SDKs are imported when they are first needed, by one thread at a time.

Python lets two threads import packages that share a third one and have circles in it: one of them may then see it half
made ("cannot import name … from partially initialized module").
"""

from __future__ import annotations

import threading

one_at_a_time = threading.RLock()
