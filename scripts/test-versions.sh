#!/usr/bin/env bash
# The fast tests of the reference, the checks and the notebooks, with the oldest or the newest versions of dependencies
# that pyproject.toml allows: bash scripts/test-versions.sh oldest
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in
    oldest | newest) ;;
    *)
        echo "which versions? usage: bash scripts/test-versions.sh oldest|newest" >&2
        exit 2
        ;;
esac
environment=build/versions-$1
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet packaging
constraints=()
if [[ $1 == oldest ]]; then
    "$environment/bin/python" scripts/oldest.py grade > "$environment/oldest.txt"
    constraints=(-c "$environment/oldest.txt")
fi
"$environment/bin/pip" install --quiet "${constraints[@]}" -e '.[grade]' pytest hypothesis packaging
export OMP_NUM_THREADS=1
exec "$environment/bin/python" -m pytest -m "not slow" \
    tests/vae_ref tests/course tests/autograder/test_catalogue.py tests/autograder/test_judging.py
