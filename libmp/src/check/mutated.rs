//! Answers that are nearly right: pages as arrays send them, with a few changes. They get deep into a decoder, where bytes at
//! random are refused for the first of them. That they do is a test, too: everything that a decoder can say is said.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ::core::time::Duration;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::ask::{Answer, Answers, Ask, NvmeReply};
use super::{CheckState, Memory, ScsiReply};
use crate::config::settings::{Checker, Prioritizer};
use crate::identify::{Facts, RawProbe, hex, identify};
use crate::prio::{self, PrioError, Subject};

/// Pages that rdac arrays, CLARiiON and filers send, port groups, names, mode pages: see the decoders.
const PAGES: &[&str] = &[RDAC, CLARIION, PROXY, ADAPTER, GROUPS, DESIGNATORS, CONTROL];
const RDAC: &str = "00 c9 00 2c 76616331 31 01 00 00 00 00 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0000";
const CLARIION: &str = "00 c0 00 7c 02 00 00 00 00 00 60060160a0b01f000000000000000001 00 03 04 00 04 00 \
    00000000 00000000 00000000 00000000 00 00 00000000 00000000";
const PROXY: &str = "00 c1 00 1c 00000000 0a980a00c100 0000000000 02 00000000";
const ADAPTER: &str = "00000018 0a980a01 41 000000 69736d5f737730 000000";
const GROUPS: &str = "00000018 81 0f 0001 00 02 00 01 00000001 02 0f 0002 00 00 00 02 00000002 00000003";
const DESIGNATORS: &str =
    "00 83 0020 0103 0010 600508b4000139e500009000075e0000 6194 0004 00000001 6195 0004 00000001";
const CONTROL: &str = "0012 00 00 00 00 0000 8a 0a 02 00 00 00 0000 ffff 0000";

/// Any of the pages, changed.
pub(crate) fn any_page() -> BoxedStrategy<Vec<u8>> {
    nearly(PAGES, &[0, 1, 2, 3, 4, 8, 9, 28, 48])
}

/// One of these pages with up to three changes, often in these places.
fn nearly(pages: &[&str], places: &[usize]) -> BoxedStrategy<Vec<u8>> {
    let pages: Vec<_> = pages.iter().map(|page| hex(page)).collect();
    let places = places.to_vec();
    let change =
        (0..8u8, any::<Index>(), any::<u8>(), prop::sample::select(alloc::vec![0u8, 1, 2, 3, 4, 6, 7, 0xff]));
    (prop::sample::select(pages), prop::collection::vec(change, 0..4))
        .prop_map(move |(mut page, changes)| {
            for (kind, at, byte, usual) in changes {
                if page.is_empty() {
                    break;
                }
                let anywhere = at.index(page.len());
                let place = if places.is_empty() { anywhere } else { places[at.index(places.len())] };
                match kind {
                    0 => page.truncate(anywhere),
                    1 => page.extend(::core::iter::repeat_n(byte, at.index(64))),
                    2 => page[anywhere] = byte,
                    3 => page[anywhere] ^= 1 << (byte % 8),
                    4 | 5 => page.get_mut(place).into_iter().for_each(|there| *there = byte),
                    _ => page.get_mut(place).into_iter().for_each(|there| *there = usual),
                }
            }
            page
        })
        .boxed()
}

/// What is answered: a command's first byte, and for NVMe what is asked for, with its data.
type Reply = (u8, u32, Vec<u8>);

fn answer(replies: &[Reply], ask: &Ask) -> Answer {
    match ask {
        Ask::Scsi(command) => {
            let data = replies.iter().find(|(code, _, _)| *code == command.cdb()[0]);
            let refused = ScsiReply { status: 2, sense: hex("72 05 20 00"), ..ScsiReply::default() };
            Answer::Scsi(
                data.map_or(refused, |(_, _, data)| ScsiReply { data: data.clone(), ..ScsiReply::default() }),
            )
        }
        Ask::Nvme(command) => {
            let data = replies
                .iter()
                .find(|(code, what, _)| (*code, *what) == (command.opcode, command.cdw10 & 0xff));
            let mut data = data.map(|(_, _, data)| data.clone()).unwrap_or_default();
            data.truncate(usize::try_from(command.length).unwrap());
            Answer::Nvme(NvmeReply { status: 0, data })
        }
        _ => Answer::NotAsked,
    }
}

fn facts() -> Facts {
    Facts { tpg: Some(1), lun: 7, ..identify(&"sda".into(), &RawProbe::default()) }
}

/// Asks until there is an answer, which is after a few questions.
fn play<T>(replies: &[Reply], mut step: impl FnMut(&Answers) -> super::Step<T>) -> T {
    let mut answers = Answers::default();
    for _ in 0..8 {
        match step(&answers) {
            Ok(verdict) => return verdict,
            Err(wanted) => {
                let given: Vec<_> = wanted.0.iter().map(|ask| answer(replies, ask)).collect();
                answers.put(&wanted.0, &given);
            }
        }
    }
    panic!("asks without end")
}

fn checked(checker: Checker, replies: &[Reply]) -> String {
    let (facts, mut memory) = (facts(), Memory::default());
    let judged = play(replies, |answers| super::step(checker, &facts, &mut memory, None, answers));
    let good = matches!(judged.state, CheckState::Up | CheckState::Ghost);
    format!("{}{}", if good { "" } else { "!" }, judged.message)
}

fn rated(prio: Prioritizer, args: &str, replies: &[Reply]) -> String {
    let (facts, mut memory) = (facts(), prio::Memory::default());
    let subject = Subject { args, facts: &facts, timeout: Duration::from_secs(30), seed: 0 };
    match play(replies, |answers| prio::step(prio, &subject, &mut memory, answers)) {
        Ok(priority) => format!("{}", priority.0),
        Err(error @ (PrioError::Io(_) | PrioError::NotRead | PrioError::Retry)) => panic!("{error}"),
        Err(error) => format!("{error:?}"),
    }
}

/// All that is said of so many answers, each once. The same each time.
fn all_said(
    replies: &[(u8, u32, BoxedStrategy<Vec<u8>>)],
    decode: impl Fn(&[Reply]) -> String,
) -> BTreeSet<String> {
    const ANSWERS: usize = 10_000;
    let mut runner = TestRunner::deterministic();
    let mut one = || -> Vec<Reply> {
        let mut data = |strategy: &BoxedStrategy<Vec<u8>>| strategy.new_tree(&mut runner).unwrap().current();
        replies.iter().map(|(code, what, strategy)| (*code, *what, data(strategy))).collect()
    };
    (0..ANSWERS).map(|_| decode(&one())).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| String::from(*word)).collect()
}

#[test]
fn checkers_are_reached_to_the_end() {
    let unavailable = RDAC.replace("31 01 00 00", "31 01 03 02");
    let rdac = [
        (0x12, 0, nearly(&[RDAC, &unavailable], &[0, 8, 10, 11, 12])),
        (0x5a, 0, nearly(&[CONTROL], &[7, 8, 9, 13])),
    ];
    assert_eq!(
        all_said(&rdac, |replies| checked(Checker::Rdac, replies)),
        set(&[
            " reports path is ghost",
            " reports path is up",
            "! reports path is down: ctlr firmware downloading",
            "! reports path is down: ctlr held in reset",
            "! reports path is down: ctlr is in service mode",
            "! reports path is down: ctlr is in startup sequence",
            "! reports path is down: ctlr is unavailable",
            "! reports path is down: ctlr quiesced by admin request",
            "! reports path is down: inquiry failed",
            "! reports path is down: lun not connected",
            "! reports path is down: non-responsive to queries",
        ])
    );
    let clariion =
        [(0x12, 0, nearly(&[CLARIION], &[1, 4, 9, 27, 28, 30, 48])), (0x28, 0, nearly(PAGES, &[]))];
    assert_eq!(
        all_said(&clariion, |replies| checked(Checker::EmcClariion, replies)),
        set(&[
            "!: Logical Unit is unbound or LUNZ",
            "!: Path not available for normal operations",
            "!: Path not correctly configured for failover",
            "!: Path unit report page in unknown format",
            ": Active path is healthy",
        ])
    );
}

#[test]
fn prioritizers_are_reached_to_the_end() {
    let none: &[usize] = &[];
    let page = |page: &str, places: &[usize]| [(0x12, 0, nearly(&[page], places))];
    let rated = |prio, args: &'static str| move |replies: &[Reply]| rated(prio, args, replies);
    let said = all_said(&page(RDAC, &[1, 3, 6, 8, 9]), rated(Prioritizer::Rdac, ""));
    let sums = ["0", "1", "2", "3", "4", "6", "8", "9", "10", "11", "12", "14", "UnknownPage"];
    assert_eq!(said, set(&sums));
    let said = all_said(&page(CLARIION, &[4, 5, 8, 9, 28, 48]), rated(Prioritizer::Emc, ""));
    assert!(
        said.is_superset(&set(&["0", "1", "2", "3", "4", "NotForFailover", "NotNormal", "UnknownPage"])),
        "{said:?}"
    );
    let text = format!("{}{}", "2e".repeat(40), "3031303530304336 3142 00000000");
    let said = all_said(&page(&text, &[47, 49]), rated(Prioritizer::Hds, ""));
    assert_eq!(said, set(&["0", "1", "UnknownPage"]));
    let text = format!("{}{}{}", "2e".repeat(112), "53445331", "00".repeat(12));
    let said = all_said(&page(&text, &[112, 115, 116]), rated(Prioritizer::Datacore, "preferredsds=SDS1"));
    assert_eq!(said, set(&["0", "1"]));
    let other = ADAPTER.replace("69736d5f7377", "69736d5f736e");
    let filer = [
        (0xc0, 0, nearly(&[ADAPTER, &other], &[3, 4, 7, 8, 12, 17])),
        (0x12, 0, nearly(&[PROXY], &[1, 13, 19])),
    ];
    let said = all_said(&filer, rated(Prioritizer::Ontap, ""));
    assert_eq!(said, set(&["1", "2", "3", "4", "Truncated", "UnknownPage"]));
    let groups = [(0xa3, 0, nearly(&[GROUPS, "0000000c 10 05 0000 80 0f 0001 00 02 00 01 00000001"], none))];
    let alua = all_said(&groups, rated(Prioritizer::Alua, ""));
    let states =
        ["0", "1", "5", "10", "50", "80", "81", "85", "90", "GroupNotListed", "Transitioning", "Truncated"];
    assert_eq!(alua, set(&states));
}

#[test]
fn ana_logs_are_read_to_the_end() {
    let mut controller = "00".repeat(4096).into_bytes();
    for (at, byte) in [(76, b"0a"), (343, b"40"), (348, b"02"), (540, b"04")] {
        controller[2 * at..2 * at + 2].copy_from_slice(byte);
    }
    let controller = String::from_utf8(controller).unwrap();
    let namespace = format!("{}02{}", "00".repeat(92), "00".repeat(4003));
    let descriptor = |group: u8, state: &str| {
        format!("{group:02x}000000 01000000 0100000000000000 {state} {} 07000000", "00".repeat(15))
    };
    // Group 1 has a namespace of its own; the right one is in group 2.
    let log = |state| {
        let first = descriptor(1, "02").replace(" 07000000", " 03000000");
        format!("0700000000000000 0200 000000000000 {first} {}", descriptor(2, state))
    };
    let logs: Vec<_> = ["01", "02", "03", "04", "0f"].map(log).into();
    let logs: Vec<_> = logs.iter().map(String::as_str).collect();
    let replies = [
        (0x06, 1, nearly(&[&controller, &controller.replace("40", "00")], &[76, 343, 348, 540])),
        (0x06, 0, nearly(&[&namespace], &[92])),
        (0x02, 0x0c, nearly(&logs, &[8, 9, 16, 20, 32, 52, 56, 68])),
    ];
    assert_eq!(
        all_said(&replies, |replies| rated(Prioritizer::Ana, "", replies)),
        set(&["0", "1", "10", "50", "GroupNotListed", "NotSupported", "Truncated", "UnknownPage"])
    );
}
