//! `-k` alone: a command a line, each answered. On a terminal a line can be edited, the earlier ones are there again, and
//! Tab completes words, maps and paths. On a pipe lines and replies are framed as clients expect it ([`Framing`]).

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _};
use std::mem;
use std::process::ExitCode;

use libmp::ctl::help::{Next, next};
use libmp::ctl::{self, Book, Command, OK};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::client::{AskError, Client, Patience};
use crate::listing::quoted;
use crate::output::{self, Reply};

const PROMPT: &str = "multipathd> ";
/// Says how a pipe is framed: `readline`, `plain`, anything else is `bare`.
const FRAMING: &str = "MULTIPATHD_PROMPT";

/// What is printed around a reply where standard input is no terminal. The reference does what the library that it was
/// built with does, and there are clients of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Nothing (libedit: Debian).
    Bare,
    /// The prompt (no library).
    Plain,
    /// The prompt, and the line as it was read (GNU readline).
    Readline,
}

impl Framing {
    fn named(name: Option<&str>) -> Self {
        match name {
            Some("readline") => Self::Readline,
            Some("plain") => Self::Plain,
            _ => Self::Bare,
        }
    }

    const fn prompt(self) -> &'static str {
        match self {
            Self::Bare => "",
            Self::Plain | Self::Readline => PROMPT,
        }
    }
}

/// Runs until the end of the input, or `quit`.
pub fn run(client: &mut Client) -> Result<ExitCode, AskError> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        on_terminal(client)
    } else {
        on_pipe(client, Framing::named(std::env::var(FRAMING).ok().as_deref()))
    }
}

fn on_pipe(client: &mut Client, framing: Framing) -> Result<ExitCode, AskError> {
    let mut stdin = io::stdin().lock();
    // Who writes the lines sees that nobody reads (`multipathd -k | less`): he is back at his own prompt.
    let by_hand = stdin.is_terminal();
    // One who has read enough takes no line with him: what was told to be done is done.
    let has_reader = Cell::new(true);
    let print = |text: &str| match if has_reader.get() { output::print_told(text) } else { Ok(()) } {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            has_reader.set(false);
            Ok(())
        }
        printed => printed,
    };
    loop {
        if let Err(error) = print(framing.prompt()) {
            return Ok(output::unprinted(&error));
        }
        let mut line = Vec::new();
        match stdin.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(ExitCode::SUCCESS),
            Ok(_) => {}
            Err(error) => return Ok(unread(&error)),
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\n').map_or(&*line, |line| line.strip_suffix('\r').unwrap_or(line));
        let echoed = if framing == Framing::Readline { print(&format!("{line}\n")) } else { Ok(()) };
        if let Err(error) = echoed {
            return Ok(output::unprinted(&error));
        }
        // Nor does he have one asked for nobody, for as long as there are lines.
        if is_quit(line) || !has_reader.get() && (by_hand || only_asks(line)) {
            return Ok(ExitCode::SUCCESS);
        }
        let had_reader = has_reader.get();
        let reply = answer(line, client)?;
        if let Err(error) = print(&reply) {
            return Ok(output::unprinted(&error));
        }
        // The daemon may know more words than this program does. What neither knows does nothing, and is asked for nobody, too.
        let known = || ctl::parse(line).is_ok() || !Reply::new(reply).failed;
        if !has_reader.get() && (by_hand || !had_reader && !known()) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn on_terminal(client: &mut Client) -> Result<ExitCode, AskError> {
    // A terminal that is told to mark what is pasted would have its lines wait for one more Enter.
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .bracketed_paste(false)
        .build();
    let words = Words { asking: RefCell::new(None) };
    let editor = Editor::<Words, MemHistory>::with_history(config, MemHistory::new());
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => return Ok(unread(&error)),
    };
    editor.set_helper(Some(words));
    loop {
        let read = match editor.readline(PROMPT) {
            Ok(read) => read,
            // Ctrl-C leaves the line, Ctrl-D the shell.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Ok(unread(&error)),
        };
        // More than one where a terminal has marked them as pasted all the same.
        for line in read.lines() {
            if is_quit(line) {
                return Ok(ExitCode::SUCCESS);
            }
            if let Err(error) = output::print_told(&answer(line, client)?) {
                return Ok(output::unprinted(&error));
            }
        }
    }
}

fn unread(error: &dyn Display) -> ExitCode {
    output::complain(&format!("can't read: {error}"));
    ExitCode::FAILURE
}

fn is_quit(line: &str) -> bool {
    matches!(ctl::parse(line), Ok(Command::Quit))
}

/// Does a line change nothing, whatever is answered?
fn only_asks(line: &str) -> bool {
    use Command::{Book, Explain, GetPrHold, GetPrKey, GetPrStatus, Plan, Show};
    match ctl::parse(line) {
        Ok(command) => matches!(
            command,
            Show(_) | Explain { .. } | Book(_) | Plan { .. } | GetPrStatus(_) | GetPrKey(_) | GetPrHold(_)
        ),
        // What the daemon makes of it, its answer tells.
        Err(_) => line.trim().is_empty(),
    }
}

/// What to print for a line.
fn answer(line: &str, client: &mut Client) -> Result<String, AskError> {
    if line.trim().is_empty() {
        return Ok(String::new());
    }
    if ctl::parse(line) == Ok(Command::Book(Book::EventsToCome)) {
        return Ok("events are followed by `multipathctl events --follow`\n".into());
    }
    // With the line that says `fail`: nothing else tells how it went.
    client.ask(line)
}

/// Completes words of the language, maps and paths.
struct Words {
    /// Names are asked for over a connection of their own, made when the first is.
    asking: RefCell<Option<Client>>,
}

impl Words {
    /// What may stand at the end of `line`, and where that begins.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let start = word_begun(line);
        let (before, begun) = line.split_at(start);
        let before = words_of(before);
        let mut found = Vec::new();
        for next in next(&before) {
            match next {
                Next::Word(word) => found.push(word.to_string()),
                Next::Map => found.extend(self.names("show maps raw format %n")),
                Next::Path => found.extend(self.names("show paths raw format %d")),
                Next::Device => {
                    found.extend(self.names("show maps raw format %n"));
                    found.extend(self.names("show paths raw format %d"));
                }
                Next::Group | Next::File | Next::Anything => {}
            }
        }
        found.retain(|word| is_begun(word, begun));
        // A word that is done is followed by a blank.
        (start, found.into_iter().map(|word| word + " ").collect())
    }

    fn names(&self, line: &str) -> Vec<String> {
        let mut asking = self.asking.borrow_mut();
        if asking.is_none() {
            *asking = Client::connect(Patience::Configured).ok();
        }
        let reply = asking.as_mut().and_then(|client| client.ask(line).ok());
        let Some(reply) = reply else {
            *asking = None;
            return Vec::new();
        };
        names_of(reply)
    }
}

/// Does `word` begin so? One that has quotes may be begun without.
fn is_begun(word: &str, begun: &str) -> bool {
    word.starts_with(begun) || word.starts_with('"') && word[1..].starts_with(begun)
}

/// Where the last word of a line begins: at a quote that is open, else after the last blank.
fn word_begun(line: &str) -> usize {
    blanks(line).last().map_or(0, |(_, after)| after)
}

/// The words of a line. One with blanks in it stands in quotes.
fn words_of(line: &str) -> Vec<&str> {
    let mut start = 0;
    let ends = blanks(line).chain([(line.len(), line.len())]);
    let words = ends.map(|(end, after)| &line[mem::replace(&mut start, after)..end]);
    words.filter(|word| !word.is_empty()).collect()
}

/// Where the blanks between words begin and end.
fn blanks(line: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut quoted = false;
    line.char_indices().filter_map(move |(at, letter)| {
        quoted ^= letter == '"';
        (letter.is_whitespace() && !quoted).then_some((at, at + letter.len_utf8()))
    })
}

/// The names of a reply, as words of the language.
fn names_of(reply: String) -> Vec<String> {
    let reply = Reply::new(reply);
    if reply.failed || reply.text == OK {
        return Vec::new();
    }
    let word = |name: &str| if name.contains([' ', '"']) { quoted(name) } else { name.to_string() };
    // Candidates are printed, and nothing like that can be typed.
    reply.text.lines().filter(|name| !name.contains(char::is_control)).map(word).collect()
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..at).unwrap_or(line)))
    }
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_framed_in_three_ways() {
        assert_eq!(Framing::named(None), Framing::Bare);
        assert_eq!(Framing::named(Some("plain")), Framing::Plain);
        assert_eq!(Framing::named(Some("readline")), Framing::Readline);
    }

    #[test]
    fn words_are_completed() {
        let words = Words { asking: RefCell::new(None) };
        let of = |line: &str| words.candidates(line);
        assert_eq!(of("reco"), (0, ["reconfigure ".to_string()].to_vec()));
        assert_eq!(of("show to"), (5, ["topology ".to_string()].to_vec()));
        assert_eq!(of("fail "), (5, ["path ".to_string()].to_vec()));
        assert_eq!(of("bogus "), (6, Vec::new()));
        assert_eq!(of("show map \"two words\" to"), (21, ["topology ".to_string()].to_vec()));
        assert_eq!(of("show map two to"), (13, ["topology ".to_string()].to_vec()));
        assert_eq!(of("\u{a0}show\u{3000}to"), (9, ["topology ".to_string()].to_vec()));
    }

    #[test]
    fn names_are_words_of_the_language() {
        assert_eq!(names_of("mpatha\n\u{1b}[2J\n\u{9b}\ntwo words\n".into()), ["mpatha", "\"two words\""]);
        for reply in ["ok\n", "fail\n", "fail\ntimeout\n", "timeout\n"] {
            assert_eq!(names_of(reply.into()), [""; 0], "{reply}");
        }
        assert_eq!(word_begun("show map \"two wo"), 9);
        assert_eq!(word_begun("show map \"two words\" to"), 21);
        assert!(is_begun("\"two words\"", "\"two w") && is_begun("\"two words\"", "tw"));
        assert!(!is_begun("\"two words\"", "wo"));
    }
}
