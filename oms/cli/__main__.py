"""``python -m oms.cli`` is the oms command."""

import sys

from oms.cli.main import main

sys.exit(main())
