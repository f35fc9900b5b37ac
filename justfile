# Thin names for `cargo xtask`, which does the work and runs without `just` too.

# List the recipes.
default:
    @just --list --unsorted

# Run an incident on a simulated chat server: `just demo`, or `just demo --serve` to play along in a browser.
demo *ARGS:
    cargo xtask demo {{ARGS}}

# Run all tests.
test *ARGS:
    cargo xtask test {{ARGS}}

# Check format, clippy, the fuzz targets and dependencies.
lint:
    cargo xtask lint

# Run the benchmarks.
bench *ARGS:
    cargo xtask bench {{ARGS}}

# Fuzz the parsers: `just fuzz` takes a minute for each, `just fuzz 600` ten.
fuzz *ARGS:
    cargo xtask fuzz {{ARGS}}

# Build the built-in actions into target/actions/*.wasm.
actions:
    cargo xtask actions
