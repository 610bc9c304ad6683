"""Analyze current usage: every environment access of a code base. The same as ``oms env analyze``."""

import sys

from oms.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["env", "analyze", *sys.argv[1:]]))
