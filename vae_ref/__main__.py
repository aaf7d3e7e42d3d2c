"""``python -m vae_ref`` is the command ``vae-ref``."""

import sys

from vae_ref.cli import main

sys.exit(main())
