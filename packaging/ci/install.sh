#!/usr/bin/env bash
# Installs a release of fan for the rest of a CI job: downloads it, verifies its checksum, puts it on the PATH.
#
#   FAN_VERSION     0.2.0
#   FAN_REPOSITORY  OWNER/fan on GitHub, or FAN_URL: the folder of the release's files, https:// or file://
#   FAN_SHA256      of the tarball; without it, that of the release's SHA256SUMS
#   FAN_BIN         where the binary goes; ~/.local/bin by default
set -euo pipefail

fail() {
    echo "::error title=fan::$*" >&2
    exit 1
}

version=${FAN_VERSION:?the version of fan to install}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "\"$version\" is no version: write 0.2.0, without v"
[ "$(uname -s)" = Linux ] || fail "releases are for Linux; on $(uname -s), build it: cargo install --path . --locked"
machine=$(uname -m)
case $machine in
    x86_64 | aarch64) ;;
    arm64) machine=aarch64 ;;
    *) fail "no release is built for $machine" ;;
esac

tarball=fan-$version-$machine-unknown-linux-musl.tar.gz
url=${FAN_URL:-https://github.com/${FAN_REPOSITORY:?the repository of the releases}/releases/download/v$version}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

get() {
    local header=()
    # A token is for GitHub and nobody else.
    if [[ ${GH_TOKEN:-} && $url == https://github.com/* ]]; then
        header=(--header "Authorization: Bearer $GH_TOKEN")
    fi
    curl --fail --silent --show-error --location --retry 3 --proto '=https,file' \
        "${header[@]}" --output "$folder/$1" "$url/$1" || fail "cannot download $url/$1"
}

get "$tarball"
expected=${FAN_SHA256:-}
if [ -z "$expected" ]; then
    get SHA256SUMS
    expected=$(awk -v name="$tarball" '$2 == name { print $1 }' "$folder/SHA256SUMS")
    [ -n "$expected" ] || fail "SHA256SUMS does not name $tarball"
fi
found=$(sha256sum "$folder/$tarball" | cut -d' ' -f1)
[ "$found" = "$expected" ] || fail "$tarball has the SHA-256 $found, not $expected: nothing was installed"

bin=${FAN_BIN:-$HOME/.local/bin}
mkdir -p "$bin"
tar -xzf "$folder/$tarball" -C "$folder"
install -m 755 "$folder/${tarball%.tar.gz}/bin/fan" "$bin/fan"
if [ -n "${GITHUB_PATH:-}" ]; then
    echo "$bin" >>"$GITHUB_PATH"
fi
"$bin/fan" --version
