"""Speed, memory and quality of the reference beside its peers, measured side by side in one run."""

import os

# as the command vae-ref does before it imports torch, so that the same program is measured
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
