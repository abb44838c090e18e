//! The command against a daemon that says what it is told to say.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use libmp::ctl::wire::{Decoder, MAX_COMMAND_BYTES, encode};
use tempfile::TempDir;

/// What a daemon does with a line.
enum Does {
    Say(String),
    Nothing,
    Hang,
    HangUp,
}

/// A daemon on a socket of its own.
struct Daemon {
    folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Daemon {
    fn new(answer: impl Fn(&str) -> Does + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let daemon = Self { folder, asked: Arc::default(), connections: Arc::default() };
        let (asked, connections) = (daemon.asked.clone(), daemon.connections.clone());
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::Relaxed);
                let (asked, answer) = (asked.clone(), answer.clone());
                thread::spawn(move || serve(stream.unwrap(), &asked, &*answer));
            }
        });
        daemon
    }

    fn saying(reply: &str) -> Self {
        let reply = reply.to_string();
        Self::new(move |_| Does::Say(reply.clone()))
    }

    fn command(&self, args: &[&str]) -> Command {
        command(self.folder.path().join("socket").to_str().unwrap(), args)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: UnixStream, asked: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> Does) {
    let mut decoder = Decoder::new(MAX_COMMAND_BYTES);
    let mut piece = [0; 256];
    while let Ok(bytes @ 1..) = stream.read(&mut piece) {
        decoder.push(&piece[..bytes]);
        while let Some(line) = decoder.next_message().unwrap() {
            asked.lock().unwrap().push(line.clone());
            match answer(&line) {
                Does::Say(text) => stream.write_all(&encode(&text)).unwrap(),
                Does::Nothing => {}
                Does::Hang => thread::sleep(Duration::from_mins(1)),
                Does::HangUp => return,
            }
        }
    }
}

fn command(socket: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_multipathctl"));
    command.args(args).env("MULTIPATH_SOCKET_NAME", socket).stdin(Stdio::null());
    command
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        (Some(code), stdout, stderr)
    );
}

const MPATHA: &str = "\
mpatha (333333330000007d0) dm-0 Linux,scsi_debug
size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| `- 0:0:0:0 sda 8:0  active ready running
`-+- policy='service-time 0' prio=10 status=enabled
  `- 1:0:0:0 sdb 8:16 active ready running
";
const DATA: &str = "\
data (333333330000007d1) dm-1 Linux,scsi_debug
size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| `- 0:0:0:1 sdc 8:32 active ready running
`-+- policy='service-time 0' prio=10 status=enabled
  `- 1:0:0:1 sdd 8:48 active ready running
";

/// Two maps, and nothing else.
fn two_maps(line: &str) -> Does {
    Does::Say(match line.trim() {
        "show maps topology" => format!("create: {MPATHA}create: {DATA}"),
        "show map \"data\" topology" => format!("create: {DATA}"),
        _ => "fail\ndevice not found\n".into(),
    })
}

#[test]
fn replies_are_printed_as_they_are() {
    let table = "hcil    dev \n0:0:0:0 sda \n";
    let daemon = Daemon::saying(table);
    check(&daemon.run(&["show", "paths", "format", "%i %d"]), 0, table, "");
    check(&daemon.run(&["-kshow paths"]), 0, table, "");
    assert_eq!(daemon.asked(), ["show paths format \"%i %d\" \n", "show paths"]);
    check(&Daemon::saying("ok\n").run(&["fail", "path", "sda"]), 0, "ok\n", "");
    check(&Daemon::saying("fail\n").run(&["bogus", "command"]), 1, "fail\n", "");
    let daemon = Daemon::saying("fail\ndevice not found\n");
    check(&daemon.run(&["fail", "path", "nosuch"]), 1, "device not found\n", "");
}

#[test]
fn maps_sorted_by_name_without_what_was_done_to_them() {
    let daemon = Daemon::new(two_maps);
    check(&daemon.run(&["-ll"]), 0, &format!("{DATA}{MPATHA}"), "");
    let forced = daemon.command(&["-ll"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    check(&forced, 0, &format!("{DATA}{MPATHA}"), "");
    check(&daemon.run(&["-ll", "data"]), 0, DATA, "");
    check(&daemon.run(&["-ll", "/dev/sda"]), 0, MPATHA, "");
    check(&daemon.run(&["-ll", "8:16"]), 0, MPATHA, "");
    check(&daemon.run(&["-ll", "sda"]), 0, "", "");
    check(&daemon.run(&["-ll", "nosuch"]), 0, "", "");
    check(&daemon.run(&["-v1", "-ll"]), 0, "data\nmpatha\n", "");
    let undef =
        |text: &str| text.replace("prio=50", "prio=0").replace("prio=10", "prio=0").replace("ready", "undef");
    check(&daemon.run(&["-l"]), 0, &undef(&format!("{DATA}{MPATHA}")), "");
    check(&Daemon::saying("ok\n").run(&["-ll"]), 0, "", "");
    check(&Daemon::saying("fail\ntimeout\n").run(&["-ll"]), 1, "timeout\n", "");
}

#[test]
fn json_of_maps_and_paths() {
    let daemon = Daemon::saying("{}\n");
    check(&daemon.run(&["-ll", "--json"]), 0, "{}\n", "");
    check(&daemon.run(&["show", "map", "a b", "json", "--json"]), 0, "{}\n", "");
    check(&daemon.run(&["show", "paths", "--json"]), 0, "{}\n", "");
    assert_eq!(daemon.asked(), ["show maps json", "show map \"a b\" json", "show paths json"]);
}

#[test]
fn plans_and_their_status() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().canonicalize().unwrap().join("new.conf");
    std::fs::write(&file, "").unwrap();
    let name = file.to_str().unwrap();
    for (reply, status) in [
        ("nothing would change\n", 0),
        ("create  data (w) of sda\n        + 0 0 1 1 x\n", 3),
        ("fail\nthe running configuration stays in force: 1 error\nf:1:1: error: x\n", 2),
        ("fail\npermission deny: need to be root\n", 1),
    ] {
        let daemon = Daemon::saying(reply);
        check(&daemon.run(&["plan", name]), status, reply.strip_prefix("fail\n").unwrap_or(reply), "");
        assert_eq!(daemon.asked(), [format!("plan file \"{name}\"")]);
    }
    let daemon = Daemon::saying("{\"changes\": 1}\n");
    check(&daemon.run(&["plan", "--json"]), 3, "{\"changes\": 1}\n", "");
    assert_eq!(daemon.asked(), ["plan json"]);
}

#[test]
fn explanations_come_from_the_daemon_or_without_it() {
    let daemon = Daemon::saying("sda (8:0) is multipathed: a path of data\n");
    check(&daemon.run(&["explain", "sda"]), 0, "sda (8:0) is multipathed: a path of data\n", "");
    assert_eq!(daemon.asked(), ["explain \"sda\""]);
    let output = command("@multipathctl/no/such/socket", &["explain", "no-such-disk"]).output().unwrap();
    check(&output, 1, "device not found\n", "");
}

#[test]
fn no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let said = "ERROR: failed to connect to multipathd\n";
    check(&command(socket.to_str().unwrap(), &["show", "status"]).output().unwrap(), 1, "", said);
    check(&command("@multipathctl/no/such/socket", &["-ll"]).output().unwrap(), 1, "", said);
}

#[test]
fn a_daemon_that_does_not_answer_in_time() {
    let daemon = Daemon::new(|_| Does::Hang);
    let start = Instant::now();
    check(&daemon.run(&["show", "paths", "--timeout", "0.2"]), 1, "timeout receiving packet\n", "");
    assert!(start.elapsed() < Duration::from_secs(3));
    // One that never takes the connection: its queue is full.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let output = command(socket.to_str().unwrap(), &["--timeout", "0.2", "-ll"]).output().unwrap();
    check(&output, 1, "timeout receiving packet\n", "");
}

#[test]
fn a_number_is_the_limit_of_multipathc() {
    let daemon = Daemon::new(|_| Does::Hang);
    let start = Instant::now();
    let mut client = daemon.command(&["200"]);
    let mut client = client.arg0("multipathc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(b"show paths\n").unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(start.elapsed() < Duration::from_secs(3));
    check(&output, 1, "timeout receiving packet\n", "");
    assert_eq!(daemon.asked(), ["show paths"]);
}

#[test]
fn a_daemon_that_hangs_up() {
    let daemon = Daemon::new(|_| Does::HangUp);
    check(&daemon.run(&["show", "paths"]), 1, "error -5 receiving packet\n", "");
}

#[test]
fn lines_from_standard_input() {
    let daemon = Daemon::new(|line| match line {
        "show maps" => Does::Say("name sysfs uuid\n".into()),
        "fail path x" => Does::Say("fail\ndevice not found\n".into()),
        _ => Does::Nothing,
    });
    let mut child = daemon.command(&["-k"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"show maps\n\nfail path x\nquit\nshow maps\n").unwrap();
    check(&child.wait_with_output().unwrap(), 0, "name sysfs uuid\nfail\ndevice not found\n", "");
}

/// What the shell asks, on a terminal, of what comes there at once.
fn asked_on_a_terminal(typed: &str) -> Vec<String> {
    let (tell, told) = mpsc::channel();
    let daemon = Daemon::new(move |line| {
        tell.send(line.to_string()).unwrap();
        Does::Say("ok\n".into())
    });
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut shell = daemon.command(&["-k"]);
    shell.env("TERM", "xterm").stdin(terminal.slave.try_clone().unwrap()).stdout(terminal.slave);
    let mut child = shell.spawn().unwrap();
    let mut terminal = File::from(terminal.master);
    terminal.write_all(typed.as_bytes()).unwrap();
    let asked = (0..3).map_while(|_| told.recv_timeout(Duration::from_secs(10)).ok()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    asked
}

#[test]
fn lines_that_come_to_a_terminal_together() {
    let three = ["show maps", "show paths", "show status"];
    assert_eq!(asked_on_a_terminal("show maps\rshow paths\rshow status\r"), three);
    assert_eq!(asked_on_a_terminal("\x1b[200~show maps\rshow paths\rshow status\x1b[201~\r"), three);
}

/// Whatever a device is called, what goes to a terminal is text; what goes elsewhere is the daemon's reply.
#[test]
fn names_of_devices_tell_a_terminal_nothing() {
    const NAME: &str = "a\x1b[2J\u{9b}1m\r\tb\n";
    for args in [
        &["show", "paths"][..],
        &["-k"],
        &["-kshow paths"],
        &["explain", "sda"],
        &["events"],
        &["-ll", "--json"],
    ] {
        let daemon = Daemon::saying(NAME);
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut command = daemon.command(args);
        command.stdin(Stdio::piped()).stdout(terminal.slave);
        let mut child = command.spawn().unwrap();
        drop(command);
        let _ = child.stdin.take().unwrap().write_all(b"show paths\n");
        child.wait().unwrap();
        let mut said = [0; 256];
        let bytes = File::from(terminal.master).read(&mut said).unwrap();
        assert_eq!(String::from_utf8_lossy(&said[..bytes]), "a?[2J?1m?\tb\r\n", "{args:?}");
    }
    check(&Daemon::saying(NAME).run(&["show", "paths"]), 0, NAME, "");
}

/// What the daemon is asked where the reader goes after its first answer, before the line `second` is answered.
fn asked_while_the_reader_goes(lines: &str, second: &'static str) -> Vec<String> {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let daemon = Daemon::new(move |line| {
        if line == second {
            gone.lock().unwrap().recv().unwrap();
        }
        Does::Say("ok\n".into())
    });
    let mut child = daemon.command(&["-k"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let mut first = [0; 3];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    go.send(()).unwrap();
    check(&child.wait_with_output().unwrap(), 0, "", "");
    assert_eq!(&first, b"ok\n");
    daemon.asked()
}

#[test]
fn a_reader_that_goes_takes_no_line_with_it() {
    let lines = "fail path sda\ndel path sda\nadd path sda\nreinstate path sda\n";
    assert_eq!(asked_while_the_reader_goes(lines, "del path sda").len(), 4);
    // Another daemon may know words that this program does not.
    let lines = "fail path sda\nnew word\nnew word again\nreinstate path sda\n";
    assert_eq!(asked_while_the_reader_goes(lines, "new word").len(), 4);
}

#[test]
fn without_a_reader_nothing_more_is_asked() {
    for (framing, line, says) in
        [("", "show paths\n", "ok\n"), ("readline", "show paths\n", "ok\n"), ("", "bogus\n", "fail\n")]
    {
        let daemon = Daemon::saying(says);
        let mut shell = daemon.command(&["-k"]);
        shell.env("MULTIPATHD_PROMPT", framing).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut lines = child.stdin.take().unwrap();
        lines.write_all(line.as_bytes()).unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
        // Whoever writes goes on as long as somebody takes it, like `yes`.
        let mut count = 0;
        while lines.write_all(line.as_bytes()).is_ok() {
            count += 1;
            assert!(count < 1000, "it takes lines for nobody");
            thread::sleep(Duration::from_millis(10));
        }
        check(&child.wait_with_output().unwrap(), 0, "", "");
        assert!(daemon.asked().len() < 5, "{:?}", daemon.asked());
    }
}

#[test]
fn a_pager_that_is_left_ends_the_shell() {
    let daemon = Daemon::saying("ok\n");
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut shell = daemon.command(&["-k"]);
    let mut child = shell.stdin(terminal.slave).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    File::from(terminal.master.try_clone().unwrap()).write_all(b"fail path sda\n").unwrap();
    for _ in 0..1000 {
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success());
            assert_eq!(daemon.asked(), ["fail path sda"]);
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it waits for lines of nobody");
}

#[test]
fn a_line_that_is_no_utf_8_is_a_line() {
    let daemon = Daemon::saying("ok\n");
    let mut child = daemon.command(&["-k"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"show maps\nshow map Gr\xfc topology\nshow paths\r\n").unwrap();
    check(&child.wait_with_output().unwrap(), 0, "ok\nok\nok\n", "");
    assert_eq!(daemon.asked(), ["show maps", "show map Gr\u{fffd} topology", "show paths"]);
}

/// What a watcher has printed when it looks for the time of this number, counted from 1: it gets no reply, and is ended.
fn watched(
    args: &[&str],
    looks: usize,
    answer: impl Fn(usize) -> Does + Send + Sync + 'static,
) -> (String, Daemon) {
    let (look, looked) = mpsc::channel();
    let count = AtomicUsize::new(0);
    let daemon = Daemon::new(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let _ = look.send(());
        if number < looks { answer(number) } else { Does::Nothing }
    });
    let mut child = daemon.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for number in 1..=looks {
        looked.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("look {number} of {looks}"));
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), daemon)
}

#[test]
fn watching_prints_changes_only_over_one_connection() {
    let (text, daemon) = watched(&["-ll", "--watch", "--interval", "0.005"], 25, |look| {
        let tree = format!("create: {DATA}");
        Does::Say(if look > 10 { tree.replacen("active ready", "failed faulty", 1) } else { tree })
    });
    assert_eq!(text.matches("\n\n").count(), 0, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("# +")).count(), 2, "{text}");
    assert_eq!(text.matches("sdc 8:32 failed faulty running").count(), 1, "{text}");
    assert_eq!(daemon.connections.load(Ordering::Relaxed), 1);
}

#[test]
fn watching_ends_when_its_time_is_over() {
    let daemon = Daemon::saying(DATA);
    let output = daemon.run(&["--watch", "--interval", "0.005", "--for", "0.02"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(!output.stdout.is_empty());
}

#[test]
fn watching_outlives_the_daemon() {
    let (text, daemon) = watched(&["--watch", "--interval", "0.01"], 6, |look| match look {
        4 => Does::HangUp,
        _ => Does::Say(DATA.into()),
    });
    assert_eq!(text.lines().filter(|line| line.starts_with("# +")).count(), 1, "{text}");
    assert_eq!(daemon.connections.load(Ordering::Relaxed), 2);
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let daemon = Daemon::saying(&"x\n".repeat(1 << 20));
    let mut child =
        daemon.command(&["show", "config"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    check(&child.wait_with_output().unwrap(), 0, "", "");
}

#[test]
fn help_and_version() {
    let run = |args: &[&str]| command("@nobody", args).output().unwrap();
    let output = run(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("How to read -ll:"), "{text}");
    let output = run(&["--version"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("multipathctl ") && text.contains("multipath-tools v0.15.0"), "{text}");
    assert_eq!(run(&["--bogus"]).status.code(), Some(1));
}
