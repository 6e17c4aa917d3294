"""Named places at which a test takes one guarantee away, to show that the fault campaign's checker notices.

The registry, one sentence each, is src/failpoints.ts; it refuses unknown names before a trainer starts.
"""

import os
from typing import Literal

Failpoint = Literal[
    "skip-fence",
    "replace-result",
    "wrong-step",
    "write-after-digest",
    "skip-file-fsync",
    "head-before-fsync",
    "drop-a-rollout",
]

_IN_FORCE = frozenset(os.environ.get("GAVEL_FAILPOINTS", "").split(","))


def failpoint(name: Failpoint) -> bool:
    """Return whether a failpoint is switched on."""
    return name in _IN_FORCE
