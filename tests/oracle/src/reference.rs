//! The reference: one shell a thread in a mount namespace, whose `/etc` is a folder of ours.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Users and groups that the reference and we know.
pub const ACCOUNTS: &[(&str, u32)] = &[("root", 0), ("daemon", 1), ("disk", 6)];

/// Binds the folder over `/etc`, then prints the configuration once for each line it gets. A run may take some
/// seconds of CPU.
const WORKER: &str = r#"
mount --bind "$1/etc" /etc || exit 1
ulimit -c 0
ulimit -t 10
echo ready
while read -r _; do
    "$2" -t >"$1/out" 2>"$1/err" </dev/null
    echo $?
done
"#;

/// What the reference made of some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `multipath -t`
    pub dump: String,
    /// What it complained of.
    pub complaints: String,
    /// Exit status of the shell's kind: above 128 for a signal.
    pub status: String,
}

/// A running worker.
#[derive(Debug)]
pub struct Reference {
    folder: PathBuf,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reference {
    /// Starts one. `root` holds the unpacked packages, `folder` becomes its own.
    pub fn start(root: &Path, folder: &Path) -> io::Result<Self> {
        let etc = folder.join("etc");
        fs::create_dir_all(etc.join("multipath/conf.d"))?;
        for name in ["passwd", "group"] {
            let line = |(account, number): &(&str, u32)| match name {
                "passwd" => format!("{account}:x:{number}:{number}::/:/bin/sh\n"),
                _ => format!("{account}:x:{number}:\n"),
            };
            fs::write(etc.join(name), ACCOUNTS.iter().map(line).collect::<String>())?;
        }
        for name in ["ld.so.cache", "nsswitch.conf"] {
            if Path::new("/etc").join(name).exists() {
                fs::copy(Path::new("/etc").join(name), etc.join(name))?;
            }
        }
        let libraries =
            ["lib", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
        let libraries: Vec<String> =
            libraries.iter().map(|name| root.join(name).display().to_string()).collect();
        // Whoever isn't root may be it in a namespace of users.
        let as_root: &[&str] =
            if fs::metadata("/proc/self")?.uid() == 0 { &[] } else { &["--user", "--map-root-user"] };
        let mut child = Command::new("unshare")
            .args(as_root)
            .args(["--mount", "sh", "-c", WORKER, "worker"])
            .args([folder, &root.join("sbin/multipath")])
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut this = Self { folder: folder.into(), child, orders, answers };
        if this.line()? != "ready" {
            return Err(io::Error::other("no mount namespace for the reference"));
        }
        Ok(this)
    }

    /// Lets it read `multipath.conf` (the first text) and `conf.d/` (the others).
    pub fn ask(&mut self, files: &[(String, String)]) -> io::Result<Answer> {
        let etc = self.folder.join("etc");
        let drop_ins = etc.join("multipath/conf.d");
        fs::remove_dir_all(&drop_ins)?;
        fs::create_dir(&drop_ins)?;
        for (name, text) in files {
            fs::write(etc.join(name.trim_start_matches("/etc/")), text)?;
        }
        self.run()
    }

    /// Lets it read the same files again.
    pub fn run(&mut self) -> io::Result<Answer> {
        self.orders.write_all(b"\n")?;
        let status = self.line()?;
        let text = |name: &str| {
            Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(self.folder.join(name))?).into_owned())
        };
        Ok(Answer { dump: text("out")?, complaints: text("err")?, status })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            return Err(io::Error::other("the reference's shell has ended"));
        }
        Ok(line.trim_end().into())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
