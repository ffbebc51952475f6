#!/bin/sh
# Fills in the templates of package managers: version, repository, and the checksums of the tarballs in a folder.
set -eu
version=${1:?a version} repository=${2:?a repository} folder=${3:?a folder}
cd "$(dirname "$0")/.."
sum() {
    tarball=$folder/fan-$version-$1-unknown-linux-musl.tar.gz
    # A formula for a tarball that does not exist is one that fails when it is used, and says why.
    if [ -f "$tarball" ]; then sha256sum "$tarball" | cut -d' ' -f1; else echo not-built; fi
}
for template in fan.rb fan.nix; do
    sed -e "s|@VERSION@|$version|g" -e "s|@REPOSITORY@|$repository|g" \
        -e "s|@SHA_X86_64@|$(sum x86_64)|g" -e "s|@SHA_AARCH64@|$(sum aarch64)|g" \
        "packaging/$template.in" >"$folder/$template"
done
