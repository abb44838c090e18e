//! Cargo.toml as rules see it: which dependencies are there, and does each say why.

/// Letters that two crates of a family begin with (`serde`, `serde_json`).
const FAMILY: usize = 3;

/// Dependencies that don't: their lines, from 1, and their names. A dependency says why in a
/// comment on the line before it, or on the line before the one of its family above it, or in the
/// workspace's list that it refers to. The workspace's own crates need no reason.
pub fn unexplained(manifest: &str) -> Vec<(usize, String)> {
    let (mut found, mut in_list, mut before) = (Vec::new(), false, "");
    let mut explained = "";
    for (number, line) in (1..).zip(manifest.lines().map(str::trim)) {
        let name = if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_list = section.ends_with("dependencies");
            // A section of its own: `[dependencies.name]`.
            section.rsplit_once('.').filter(|(list, _)| list.ends_with("dependencies")).map(|(_, name)| name)
        } else {
            line.split_once('=').filter(|_| in_list && !line.starts_with('#')).and_then(|(name, value)| {
                let name = name.trim();
                let own = ["workspace = true", "path ="].iter().any(|mark| value.contains(mark));
                (!own && !name.ends_with(".workspace")).then_some(name)
            })
        };
        if let Some(name) = name {
            let family = name.get(..FAMILY).is_some_and(|family| explained.starts_with(family));
            explained = if before.starts_with('#') || family { name } else { "" };
            if explained.is_empty() {
                found.push((number, name.to_string()));
            }
        }
        before = line;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_without_a_reason() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\n# Why.\naaa = \"1\"\naaa-x = \"1\"\nb = { version = \"1\" }\n\
                        c.workspace = true\nd = { workspace = true }\ne = { path = \"e\" }\n\
                        [dev-dependencies.f]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\ng = \"1\"\n";
        let names: Vec<_> = unexplained(manifest).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["b", "f", "g"]);
    }
}
