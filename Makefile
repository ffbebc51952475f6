# What people type. The recipes do the work of one line each; longer ones are scripts.

HOSTS ?= 50
ROUNDS ?= 5

.PHONY: test fuzz soak slurm lint bench deny dist dist-test book pictures

# Installs what the tests need (as root or by sudo), then runs all of them.
test:
	tests/setup.sh
	tests/run.sh

# Each fuzz target for FUZZ_SECONDS (60); needs cargo-fuzz.
fuzz:
	fuzz/run.sh

# Random runs that are disturbed, killed and resumed, for SOAK_SECONDS (300).
soak:
	SOAK_SECONDS=$${SOAK_SECONDS:-300} cargo test --locked --test it soak -- --nocapture

# The Slurm array of docs/ci.md on real daemons. As root, on Debian or Ubuntu; a container may refuse what they ask for.
slurm:
	cargo build --locked
	tests/slurm.sh

# Formatting, clippy and rustdoc; a warning is an error.
lint:
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# fan beside the tools that are installed, on throw-away hosts.
bench:
	cargo build --release --locked
	HOSTS=$(HOSTS) ROUNDS=$(ROUNDS) benches/compare.sh

# Licences, advisories, sources of the dependencies.
deny:
	cargo deny --locked check

# Everything a release has, in target/dist: docs/installing.md. TARGETS names others than this machine's.
dist:
	packaging/dist.sh

# What `make dist` made, installed in a Debian of its own; and made twice, with equal bytes. As root.
dist-test:
	packaging/test-deb.sh
	packaging/test-reproducible.sh

# The documentation as a site, in target/book; every link is checked. Needs mdbook.
book:
	packaging/book.sh

# The pictures of the documentation, from real runs.
pictures:
	cargo build --release --locked
	packaging/pictures.sh
