//! Builds the list of all scripts, so that none can be left out of it.

use std::path::Path;
use std::{env, fs, io, io::Write};

fn main() -> io::Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("scripts");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files =
        fs::read_dir(&folder)?.map(|file| file.map(|f| f.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let mut list =
        fs::File::create(Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("scripts.rs"))?;
    writeln!(list, "&[")?;
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "txt")) {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("names are text");
        let path = file.to_str().expect("names are text");
        writeln!(list, "    ({name:?}, include_str!({path:?})),")?;
    }
    writeln!(list, "]")
}
