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

# The fleet over time, of hosts that are made up; with a few of them their plots are open.
cargo bench --locked --quiet --bench fleet -- demo "$work/fleet.db"
"$fan" fleet report --db "$work/fleet.db" "$work/fleet.html"
"$fan" fleet report --db "$work/fleet.db" --where 'host in ["db2", "web04", "web06"]' "$work/plots.html"
# picture NAME PAGE WIDTH,HEIGHT FLAG...
picture() {
    name=$1 page=$2 size=$3
    shift 3
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$size" \
        --screenshot="$PWD/docs/pictures/$name.png" "$@" "file://$page" >/dev/null 2>&1
}
picture fleet "$work/fleet.html" 1100,900
picture fleet-dark "$work/fleet.html" 1100,900 --blink-settings=preferredColorScheme=0
picture fleet-narrow "$work/fleet.html" 500,1000
picture fleet-plots "$work/plots.html" 1100,1500
ls -l docs/pictures
