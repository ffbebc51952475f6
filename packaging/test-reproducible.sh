#!/usr/bin/env bash
# Builds everything twice, in two folders, and compares the bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for build in one two-with-a-longer-name; do
    git clone -q . "$work/$build"
    (cd "$work/$build" && packaging/dist.sh >/dev/null)
done
diff "$work/one/target/dist/SHA256SUMS" "$work/two-with-a-longer-name/target/dist/SHA256SUMS"
echo "both builds have the same bytes"
