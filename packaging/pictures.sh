#!/bin/sh
# The pictures of the README and of the documentation, made from real runs. FAN names the binary; needs chromium, python3.
set -eu
cd "$(dirname "$0")/.."
fan=${FAN:-target/release/fan}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$fan" demo --color always -b 2>&1 | packaging/screen_svg.py "fan demo -b" >docs/pictures/demo.svg
"$fan" demo --hosts 6 --report "$work/demo.html" >"$work/said" 2>&1
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,780 \
    --screenshot="$PWD/docs/pictures/report.png" "file://$work/demo.html" >/dev/null 2>&1
ls -l docs/pictures
