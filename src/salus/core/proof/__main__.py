"""`python -m salus.core.proof` is `salus verify`."""

import sys

from salus.core.proof.cli import main

sys.exit(main())
