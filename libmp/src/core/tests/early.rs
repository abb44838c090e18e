//! What users ask before the start is over.

use super::*;
use crate::core::event::{Peer, RequestId};

/// A daemon that starts, asked `show paths format …` by four connections of a user, and of root.
fn asked_while_starting() -> (Machine, Outbox) {
    let mut machine = Machine::off("3600a0b8", true, |_| good(""));
    let mut out = Outbox::new();
    machine.core.start(machine.now, &mut out);
    for (id, uid) in [(1, 1000), (2, 1000), (3, 0), (4, 1001), (5, 1000)] {
        let command = "show paths raw format \"%n%n%n\nforged of sda\"".into();
        let peer = Peer { uid, pid: None };
        machine.core.handle(machine.now, Event::Request { id: RequestId(id), peer, command }, &mut out);
    }
    (machine, out)
}

/// Root at once, the others one by one.
fn check(machine: &Machine, said: &[(Level, String)]) {
    assert_eq!(machine.replies.len(), 5, "{:?}", machine.replies);
    let at = machine.replies[0].0;
    let of_root = |reply: &&(Instant, u64)| reply.1 == 3;
    assert_eq!(machine.replies.iter().find(of_root), Some(&(at, 3)));
    let others: Vec<_> = machine.replies.iter().filter(|reply| !of_root(reply)).collect();
    assert!(others[0].0 == at && others.windows(2).all(|pair| pair[0].0 < pair[1].0), "{others:?}");
    assert!(others[3].0 < at + Duration::from_millis(10), "{others:?}");
    assert_eq!(commands(said), 0, "only asked, and answered: {said:?}");
}

/// How many of the questions are in the log.
fn commands(said: &[(Level, String)]) -> usize {
    said.iter().filter(|(_, text)| text.contains("forged")).count()
}

#[test]
fn replies_to_users_that_the_start_was_waited_for_are_made_one_by_one() {
    let (mut machine, out) = asked_while_starting();
    machine.carry_out(out, &config(""));
    let said = machine.advance(1);
    check(&machine, &said);
}

/// The disks are not found in time.
#[test]
fn so_are_those_that_it_was_waited_for_in_vain() {
    let (mut machine, out) = asked_while_starting();
    let (mut out, mut loading) = (out, Outbox::new());
    let loads = |effect: &Effect| matches!(effect, Effect::LoadConfig { .. });
    out.drain().filter(loads).for_each(|effect| loading.push(effect));
    let Some(Effect::LoadConfig { token }) = loading.drain().next() else {
        panic!("no configuration is read")
    };
    let event = Event::Config { token, loaded: Box::new(Loaded::of(config(""))) };
    machine.core.handle(machine.now, event, &mut out);
    machine.advance(3);
    assert!(machine.replies.is_empty());
    let said = machine.advance(1);
    check(&machine, &said);
}

/// Not even the configuration is read.
#[test]
fn users_who_are_told_that_it_takes_too_long_are_not_in_the_log() {
    let (mut machine, _) = asked_while_starting();
    let said = machine.advance(4);
    assert_eq!(machine.replies.len(), 5);
    assert_eq!(commands(&said), 1, "root's: {said:?}");
}
