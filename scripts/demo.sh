#!/bin/sh
# The whole course once: sh scripts/demo.sh BIN MINUTES [STANFORD_DOGS_FOLDER]
set -eu
bin=$1 minutes=$2 photos=$3
export PATH="$bin:$PATH"
started=$(date +%s)

step() { printf '\n=== %s (%s s since the start)\n' "$*" "$(($(date +%s) - started))"; }

if [ -n "$photos" ]; then
    set -- --data stanford --root "$photos"
    what="Stanford Dogs in $photos"
else
    set -- --data paper
    what="paper dogs, drawn by code"
fi
rm -rf build/run build/results build/class

step "1 of 5  Train the reference on $what, $minutes minutes"
vae-ref train "$@" --out build/run --minutes "$minutes" --seed 0

step "2 of 5  Results page"
[ "$2" = stanford ] && set -- --root "$photos" || set --
vae-ref report --run build/run --out build/results "$@"

step "3 of 5  A class: release the assignment, seven hand-ins, nbgrader autograde behind the wall"
autograder sample-class build/class
# nbgrader logs each step, and SQLAlchemy warns about nbgrader's own queries
graded=yes
(
    cd build/class
    export PYTHONWARNINGS=ignore
    nbgrader autograde 02_bound --log-level=WARN &&
        autograder feedback 02_bound && autograder insight 02_bound --book ../../book
) || graded=no

step "4 of 5  The book"
python book/build.py --out build/book

here=$(pwd)
if [ "$graded" = no ]; then
    step "5 of 5  No gradebook: the class was not graded, for the reason above. All else is done:"
    echo "  $here/build/results/index.html and $here/build/book/index.html"
    exit 1
fi
step "5 of 5  The gradebook"
autograder grades 02_bound --course build/class
cat <<END

Done in $(($(date +%s) - started)) seconds. Open
  $here/build/results/index.html   what the model learned; its numbers are in metrics.json beside it
  $here/build/class/feedback/averages-the-kl/02_bound/02_bound.html   what a learner gets back
  $here/build/class/insight/02_bound.html   what the instructor sees of the class
  $here/build/book/index.html   the book
The graded class is in build/class: submitted, autograded, feedback, insight, gradebook.db.
END
