//! The control sockets, as clients see them.

use super::*;
use libmp::core::notice::Notice;
use libmp::ctl::Form;
use std::io::{Read, Write};
use tokio::sync::mpsc;

const HELD_UP: Duration = Duration::from_millis(150);

/// Answers each request with its own text; `big` with ten megabytes. `list paths` holds up everything, and what is asked of a
/// path waits for something to happen.
async fn echo(server: Server, mut requests: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = requests.recv().await {
        if let Event::Request { id, peer, command } = event {
            assert_eq!(peer.pid, Some(std::process::id()));
            if command == "follow" {
                server.book(id, Book::EventsToCome);
                continue;
            }
            if command == "show replies" {
                server.book(id, Book::Replies(Form::Text));
                continue;
            }
            if command == "list paths" {
                std::thread::sleep(HELD_UP);
            }
            if command == "fail path sda" {
                server.turn_ends([id].into_iter());
                tokio::time::sleep(HELD_UP).await;
                server.turn_begins();
            }
            assert_eq!(peer.uid, nix::unistd::getuid().as_raw());
            let text = if command == "big" { "x".repeat(10_000_000) } else { command };
            server.reply(id, text);
        }
    }
}

fn with_server(client: impl FnOnce(&Address) + Send + 'static) {
    with_journal(&Arc::default(), client);
}

fn with_journal(journal: &Arc<Journal>, client: impl FnOnce(&Address) + Send + 'static) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let address = Address::Path(dir.path().join("socket"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let (events, requests) = mpsc::unbounded_channel();
        let listening = Listening::open(std::slice::from_ref(&address)).expect("bound");
        let server = listening.serve(events, journal.clone()).expect("served");
        tokio::spawn(echo(server, requests));
        tokio::task::spawn_blocking(move || client(&address)).await.expect("client");
    });
}

fn send(stream: &mut StdStream, length: u64, bytes: &[u8]) {
    stream.write_all(&length.to_ne_bytes()).expect("sent");
    stream.write_all(bytes).expect("sent");
}

fn receive(stream: &mut StdStream) -> Vec<u8> {
    let mut length = [0; 8];
    stream.read_exact(&mut length).expect("a length");
    let mut bytes = vec![0; usize::try_from(u64::from_ne_bytes(length)).expect("small")];
    stream.read_exact(&mut bytes).expect("a reply");
    bytes
}

#[test]
fn requests_end_in_nul_or_newline_and_follow_each_other() {
    with_server(|address| {
        let mut stream = address.connect().expect("connected");
        send(&mut stream, 11, b"show paths\0");
        send(&mut stream, 11, b"show paths\n");
        send(&mut stream, 10, b"show paths");
        // An error says the line again as it came.
        for reply in [&b"show paths\0"[..], b"show paths\n\0", b"show paths\0"] {
            assert_eq!(receive(&mut stream), reply);
        }
    });
}

#[test]
fn garbage_drops_its_client_and_no_other() {
    with_server(|address| {
        let mut good = address.connect().expect("connected");
        for length in [0, MAX_COMMAND_BYTES as u64 + 1, 1 << 63, u64::MAX] {
            let mut bad = address.connect().expect("connected");
            send(&mut bad, length, b"");
            assert_eq!(bad.read(&mut [0; 8]).expect("closed"), 0);
        }
        let mut half = address.connect().expect("connected");
        send(&mut half, 100, b"show");
        drop(half);
        send(&mut good, 5, b"help\0");
        assert_eq!(receive(&mut good), b"help\0");
    });
}

#[test]
fn a_slow_reader_hinders_nobody_and_gets_all() {
    with_server(|address| {
        let mut slow = address.connect().expect("connected");
        send(&mut slow, 4, b"big\0");
        let mut quick = address.connect().expect("connected");
        send(&mut quick, 3, b"ok\0");
        assert_eq!(receive(&mut quick), b"ok\0");
        assert_eq!(receive(&mut slow).len(), 10_000_001);
    });
}

/// A follower that reads nothing: the daemon keeps what it keeps for everybody, and the others are served. When it reads,
/// it is told how many it has missed.
#[test]
fn followers_may_be_slow() {
    let journal = Arc::<Journal>::default();
    let writer = journal.clone();
    let note = |journal: &Journal| journal.note(Duration::ZERO, &Notice::UeventsLost);
    note(&journal);
    with_journal(&journal, move |address| {
        let mut follower = address.connect().expect("connected");
        send(&mut follower, 7, b"follow\0");
        let first = String::from_utf8(receive(&mut follower)).expect("text");
        assert!(first.contains("\"seq\": 0,") && first.matches('\n').count() == 1, "{first}");
        // More than any socket holds.
        for _ in 0..100_000 {
            note(&writer);
        }
        let mut other = address.connect().expect("connected");
        send(&mut other, 3, b"ok\0");
        assert_eq!(receive(&mut other), b"ok\0");
        let (mut seen, mut lost) = (1, 0);
        while seen + lost < 100_001 {
            let text = String::from_utf8(receive(&mut follower)).expect("text");
            for line in text.trim_end_matches('\0').lines() {
                let count = line.split("\"count\": ").nth(1).and_then(|rest| rest.split(',').next());
                match count {
                    Some(count) => lost += count.parse::<u64>().expect("a number"),
                    None => seen += 1,
                }
            }
        }
        assert!(lost > 0 && seen >= crate::journal::KEPT as u64, "{seen} seen, {lost} lost");
        // Whatever it says ends it.
        follower.write_all(b"x").expect("sent");
        assert_eq!(follower.read(&mut [0; 8]).expect("closed"), 0);
    });
}

/// That the loop was held up is seen, and what a command waits for is not taken for it.
#[test]
fn replies_are_timed() {
    with_server(|address| {
        let mut stream = address.connect().expect("connected");
        for command in [&b"list paths\0"[..], b"fail path sda\0", b"bogus\0"] {
            send(&mut stream, command.len() as u64, command);
            assert_eq!(receive(&mut stream), command);
        }
        send(&mut stream, 13, b"show replies\0");
        let text = String::from_utf8(receive(&mut stream)).expect("text");
        // Command, replies, late ones.
        let rows: Vec<Vec<&str>> = text
            .trim_end_matches('\0')
            .lines()
            .skip(1)
            .map(|row| row.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).take(3).collect())
            .collect();
        assert_eq!(
            rows,
            [["(no command)", "1", "0"], ["fail path", "1", "0"], ["show paths", "1", "1"]],
            "{text}"
        );
    });
}

/// Whoever hoards connections, honest clients of the same user are served.
#[test]
fn a_hoard_locks_nobody_out() {
    with_server(|address| {
        let hoard: Vec<_> = (0..400).map(|_| address.connect().expect("connected")).collect();
        let mut honest = address.connect().expect("connected");
        send(&mut honest, 3, b"ok\0");
        assert_eq!(receive(&mut honest), b"ok\0");
        drop(hoard);
    });
}

/// However many ask at once, so many of their replies are made at a time; those of root always are, and who waits for something to
/// happen, or has gone, holds up nobody.
#[test]
fn replies_to_others_are_made_two_at_a_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let (events, mut requests) = mpsc::unbounded_channel();
        let server = Server::new(events, Arc::default());
        let (give_up, mut given_up) = mpsc::unbounded_channel();
        let ask = |uid| {
            let (server, give_up) = (server.clone(), give_up.clone());
            tokio::spawn(async move {
                let _ = give_up.send(server.ask(Peer { uid, pid: None }, "show paths".into()).await);
            })
        };
        let mut came = async || {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let mut ids = Vec::new();
            while let Ok(Event::Request { id, .. }) = requests.try_recv() {
                ids.push(id);
            }
            ids
        };
        let clients: Vec<_> = (0..8).map(|_| ask(1000)).collect();
        let first = came().await;
        assert_eq!(first.len(), MADE_AT_ONCE);
        ask(ROOT);
        ask(ROOT);
        assert_eq!(came().await.len(), 2, "root is heard");
        // They wait for the daemon's start.
        server.turn_ends(first.clone().into_iter());
        let second = came().await;
        assert_eq!(second.len(), MADE_AT_ONCE);
        // A reply is made, and then it is counted.
        server.reply(second[0], "text".into());
        assert!(came().await.is_empty());
        drop(given_up.recv().await);
        assert_eq!(came().await.len(), 1);
        // Those that wait without a permit get none for their answer.
        server.reply(first[0], "text".into());
        let answered = given_up.recv().await.expect("a reply").expect("an answer");
        assert!(answered.2.is_none());
        drop(answered);
        assert!(came().await.is_empty());
        // Their connections are gone, and so are those that wait in the queue.
        clients.iter().for_each(tokio::task::JoinHandle::abort);
        server.reply(second[1], String::new());
        came().await;
        server.lock().clients.clear();
        ask(1001);
        assert_eq!(came().await.len(), 1, "nobody holds it up");
    });
}

#[test]
fn names_are_abstract_with_an_at_sign() {
    assert_eq!(Address::parse("@x"), Address::Abstract(b"x".to_vec()));
    assert_eq!(Address::parse("/run/x"), Address::Path("/run/x".into()));
}

#[test]
fn one_that_is_held_by_somebody_keeps_no_other_from_being_served() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let free = Address::Path(folder.path().join("free"));
    // No socket can be there, as the folder is not.
    let held = Address::Path(folder.path().join("no/held"));
    let listening = Listening::open(&[held.clone(), free.clone()]).expect("one is enough");
    assert_eq!((listening.ours(), listening.refused().len()), (&[free][..], 1));
    assert!(Listening::open(&[held]).is_err());
}
