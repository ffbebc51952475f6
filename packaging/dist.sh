#!/usr/bin/env bash
# Everything that a release has, in target/dist: static binaries, packages, an SBOM, checksums, and the templates of package
# managers filled in. Reproducible: at one commit, with one toolchain, the same bytes.
#
#   TARGETS     Rust targets, separated by spaces; this machine's musl one by default
#   REPOSITORY  where releases are: https://github.com/OWNER/fan
#
# Needs cargo-deb, cargo-generate-rpm, cargo-cyclonedx, musl-tools, and for other architectures their C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

out=target/dist
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
targets=${TARGETS:-$(uname -m)-unknown-linux-musl}
repository=${REPOSITORY:-https://github.com/OWNER/fan}

die() {
    echo "dist: $*" >&2
    exit 1
}

for tool in cargo-deb cargo-generate-rpm cargo-cyclonedx sha256sum; do
    command -v "$tool" >/dev/null || die "$tool is missing (cargo install --locked $tool)"
done

# All that could differ between two builds: time, paths, incremental state.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
FAN_COMMIT=${FAN_COMMIT:-$(git rev-parse --short=12 HEAD)}
[ -z "$(git status --porcelain --untracked-files=no)" ] || FAN_COMMIT+=-dirty
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export SOURCE_DATE_EPOCH FAN_COMMIT CARGO_INCREMENTAL=0 LC_ALL=C TZ=UTC
export RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$PWD=/fan"
export CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/fan"

# The C compiler of a target: AWS-LC and SQLite are C.
compiler() {
    case $1 in
        "$(uname -m)"-*-musl) echo musl-gcc ;;
        aarch64-*) echo aarch64-linux-gnu-gcc ;;
        x86_64-*) echo x86_64-linux-gnu-gcc ;;
        *) die "no C compiler is known for $1" ;;
    esac
}

# A tar archive whose bytes depend on nothing but what is in it.
archive() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$1" -cf - "$2" | gzip -n9
}

rm -rf "$out" target/assets target/stage
mkdir -p "$out"

for target in $targets; do
    rustup target list --installed | grep -qx "$target" || rustup target add "$target" || die "no standard library for $target"
    cc=$(compiler "$target")
    command -v "$cc" >/dev/null || die "$cc is missing (apt-get install musl-tools gcc-aarch64-linux-gnu)"
    key=$(echo "$target" | tr a-z- A-Z_)
    export "CC_$(echo "$target" | tr - _)=$cc" "CARGO_TARGET_${key}_LINKER=rust-lld" "CARGO_TARGET_${key}_RUSTFLAGS=$RUSTFLAGS"
    if [ "$cc" = musl-gcc ]; then
        unset "CARGO_TARGET_${key}_LINKER"
    fi
    cargo build --release --locked --target "$target"
    fan=target/$target/release/fan

    # Pages and completions are made by the program itself: one of this machine, whatever the target.
    if [ ! -d target/assets/man ]; then
        mkdir -p target/assets/man target/assets/completions
        native=$fan
        case $target in "$(uname -m)"-*) ;; *) cargo build --release --locked && native=target/release/fan ;; esac
        "$native" man target/assets/man
        gzip -n9 target/assets/man/*
        for shell in bash zsh fish; do
            "$native" completions "$shell" >"target/assets/completions/fan.$shell"
        done
    fi

    name=fan-$version-$target
    stage=target/stage/$name
    rm -rf "$stage"
    mkdir -p "$stage"/{bin,share/man/man1,share/completions,examples}
    install -m 755 "$fan" "$stage/bin/fan"
    cp target/assets/man/* "$stage/share/man/man1/"
    cp target/assets/completions/* "$stage/share/completions/"
    cp inventory.example.yaml tasks.example.yaml "$stage/examples/"
    cp README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE Dockerfile "$stage/"
    archive target/stage "$name" >"$out/$name.tar.gz"

    cargo deb --no-build --no-strip --locked --target "$target" --output "$out/"
    cargo generate-rpm --target "$target" --auto-req disabled --payload-compress gzip --source-date "$SOURCE_DATE_EPOCH" \
        --output "$out/"
done

cargo cyclonedx --format json --override-filename fan.cdx >/dev/null
mv fan.cdx.json "$out/"

packaging/fill.sh "$version" "$repository" "$out"
(cd "$out" && sha256sum -- *.tar.gz *.deb *.rpm *.json fan.rb fan.nix >SHA256SUMS)
cat "$out/SHA256SUMS"
