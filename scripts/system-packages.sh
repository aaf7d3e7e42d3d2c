#!/bin/sh
# Install what pip cannot: sh scripts/system-packages.sh NAME... with names from the table below.
# Says what is missing and how to get it where it may not install; fails only then.
set -u

say() { printf '%s\n' "$*"; }

# name → Debian package, what it is for, and the command that shows it is there
package_of() {
    case $1 in
        bubblewrap) say bubblewrap ;;
        chromium) say chromium ;;
        hunspell) say hunspell hunspell-en-gb ;;
        postgresql) say postgresql ;;
    esac
}
purpose_of() {
    case $1 in
        bubblewrap) say "the wall that learners' code runs behind: grading refuses to run without it" ;;
        chromium) say "the browser that prints the book, and that the tests look at pages with" ;;
        hunspell) say "the spell checker that the tests read the book with" ;;
        postgresql) say "the database server that the tests keep a gradebook in" ;;
    esac
}
is_there() {
    case $1 in
        bubblewrap) command -v bwrap >/dev/null 2>&1 ;;
        chromium) command -v chromium >/dev/null 2>&1 ;;
        hunspell) command -v hunspell >/dev/null 2>&1 && hunspell -D </dev/null 2>&1 | grep -q en_GB ;;
        postgresql) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 ;;
    esac
}

missing=""
for name in "$@"; do
    is_there "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo -n"
packages=""
for name in $missing; do packages="$packages $(package_of "$name")"; done

if command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    say "Installing from the distribution:$packages"
    log=$(mktemp)
    # a server that only tests use must not start with the machine
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >"$log" 2>&1 &&
        $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $packages >>"$log" 2>&1 ||
        tail -n 5 "$log"
    rm -f "$log"
fi

failed=0
for name in $missing; do
    is_there "$name" && continue
    failed=1
    say "Missing: $name, $(purpose_of "$name")."
    say "  Get it with: apt-get install $(package_of "$name") as root (Debian, Ubuntu), or your system's package of that name."
done
exit $failed
