//! Points the compiler at the built-in action components, which `cargo xtask actions` builds.

use std::path::PathBuf;

const NAMES: [&str; 4] = ["create_channel", "add_users_channel", "post", "archive_channel"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=WARROOM_ACTIONS");
    let directory = match std::env::var_os("WARROOM_ACTIONS") {
        Some(directory) => PathBuf::from(directory),
        // OUT_DIR is TARGET/PROFILE/build/NAME/out, and TARGET/TRIPLE/PROFILE/build/NAME/out with `--target TRIPLE`: the
        // components lie in TARGET.
        None => {
            let out = PathBuf::from(std::env::var("OUT_DIR")?);
            let mut places: Vec<_> =
                out.ancestors().skip(4).take(2).map(|place| place.join("actions")).collect();
            let there = places.iter().position(|place| place.is_dir()).unwrap_or_default();
            if places.is_empty() {
                return Err("OUT_DIR is not inside a target directory".into());
            }
            places.swap_remove(there)
        }
    };
    for name in NAMES {
        let file = directory.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        if !file.is_file() {
            println!(
                "cargo::error=the built-in action {} is not built yet: run `cargo xtask actions` first",
                file.display()
            );
        }
    }
    println!("cargo::rustc-env=WARROOM_ACTIONS={}", directory.display());
    Ok(())
}
