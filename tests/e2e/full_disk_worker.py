"""``oms serve`` on a full disk. Run as a module, by the end-to-end tests only."""

from __future__ import annotations

import resource
import sys

from oms.cli.main import main

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    sys.exit(main(["serve", "--port", "0", *sys.argv[1:]]))
