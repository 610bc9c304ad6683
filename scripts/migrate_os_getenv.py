"""Move reads of the environment onto unified_env; a dry run unless --write. The same as ``oms env migrate``."""

import sys

from oms.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["env", "migrate", *sys.argv[1:]]))
