#!/usr/bin/env bash
# Make a GitHub runner (Ubuntu 24.04) a machine that the tests know: bash scripts/prepare-runner.sh
set -euo pipefail

# The wall puts learners' code into namespaces of its own, which Ubuntu forbids to everybody but root.
sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0

# Ubuntu's package chromium is a snap; the runner has Chrome, which prints and tests the same.
if [[ ! -x /usr/bin/chromium ]]; then
    sudo ln -s "$(command -v google-chrome-stable || command -v google-chrome)" /usr/bin/chromium
fi
