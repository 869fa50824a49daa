"""Which Kubernetes versions a Kubespray installs: those it has the checksum of kubelet for."""

from __future__ import annotations

import re
from pathlib import Path

# Where Kubespray keeps them since 2.28, and what its own kube_version_min_required is taken from.
_FILE = Path("roles/kubespray_defaults/vars/main/checksums.yml")
_TABLE = "kubelet_checksums:"
_ENTRY = re.compile(r"^ +['\"]?v?(\d+\.\d+\.\d+)['\"]?:")


def offered(folder: Path) -> frozenset[str]:
    """The versions, of any architecture; empty where the folder does not say (it is another project's, or older).

    Lines are looked at, not YAML: the file is long, and this is asked at every look.
    """
    found: set[str] = set()
    inside = False
    try:
        with (folder / _FILE).open(encoding="utf-8") as lines:
            for line in lines:
                if line[:1] not in (" ", "#", "\n"):
                    if inside:
                        break
                    inside = line.startswith(_TABLE)
                elif inside and (entry := _ENTRY.match(line)):
                    found.add(entry[1])
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(found)
