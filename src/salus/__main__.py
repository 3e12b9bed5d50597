"""`python -m salus` is `salus`."""

import sys

from salus.cli.entry import main

sys.exit(main())
