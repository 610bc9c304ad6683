"""Validate the configuration as at start-up. The same as ``oms env validate``."""

import sys

from oms.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["env", "validate", *sys.argv[1:]]))
