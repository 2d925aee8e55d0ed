#!/bin/sh
# Scans for any CI: sh scan.sh [PATH]... Reports go to the folder $BEZOAR_OUT (bezoar-scan).
# The exit code is that of `bezoar scan`.
set -u

out=${BEZOAR_OUT:-bezoar-scan}
[ "$#" -gt 0 ] || set -- .
mkdir -p "$out" || exit 2

bezoar scan "$@" --format sarif --out "$out/scan.sarif"
code=$?
case $code in
  0) echo "bezoar: nothing found" ;;
  1)
    # Unchanged files come from the cache. For people, and for the log.
    bezoar scan "$@" --format html --out "$out/scan.html"
    bezoar scan "$@"
    ;;
  2) echo "bezoar: the scan failed; the message is above" >&2 ;;
  3) echo "bezoar: nothing was examined; is $* the right folder?" >&2 ;;
  4) echo "bezoar: an option or a path is wrong; the message is above" >&2 ;;
  *) echo "bezoar: ended with $code; is it installed?" >&2 ;;
esac
exit "$code"
