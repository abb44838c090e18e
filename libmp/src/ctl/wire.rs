//! The control socket: where it is, and its framing, the same in both directions: the length as a native `size_t`,
//! then so many bytes of text. The last of them is a NUL; some clients leave it out.

use alloc::string::String;
use alloc::vec::Vec;

/// The environment variable that names another socket (`@` first: an abstract one).
pub const ENVIRONMENT: &str = "MULTIPATH_SOCKET_NAME";
/// The socket in the file system, which clients try first.
pub const PATH: &str = "/run/multipathd.socket";
/// The abstract socket, which older clients know alone.
pub const ABSTRACT: &str = "@/org/kernel/linux/storage/multipathd";

/// Bytes of the length.
pub const HEADER_BYTES: usize = size_of::<usize>();
/// No command is longer (the reference takes 512).
pub const MAX_COMMAND_BYTES: usize = 4_096;
/// No reply is longer: the reference's clients take less than 32 MiB.
pub const MAX_REPLY_BYTES: usize = (32 << 20) - 1;

/// What can't be a message. The connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Nothing can be said in no bytes.
    #[error("a message of no bytes")]
    Empty,
    /// Longer than the limit.
    #[error("a message of {length} bytes, the limit is {limit}")]
    TooLong {
        /// What the peer announced.
        length: usize,
        /// What is taken.
        limit: usize,
    },
}

/// One message: length, text, NUL.
pub fn encode(text: &str) -> Vec<u8> {
    // Nothing after a NUL would be seen by the other end.
    let text = text.split('\0').next().unwrap_or_default();
    frame(&[text.as_bytes(), b"\0"])
}

/// One message of these bytes, as they are.
pub fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + length);
    bytes.extend_from_slice(&length.to_ne_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// How many bytes follow.
pub const fn length(header: [u8; HEADER_BYTES], limit: usize) -> Result<usize, WireError> {
    match usize::from_ne_bytes(header) {
        0 => Err(WireError::Empty),
        length if length > limit => Err(WireError::TooLong { length, limit }),
        length => Ok(length),
    }
}

/// Puts messages together from whatever pieces arrive. Holds no more than one message and the last
/// piece, if it is drained after each.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    limit: usize,
}

impl Decoder {
    /// Takes messages up to so many bytes.
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit }
    }

    /// Takes in what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Has a message begun that is not whole yet?
    pub const fn is_midway(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next whole message, up to its first NUL; what is no UTF-8 is replaced.
    pub fn next_message(&mut self) -> Result<Option<String>, WireError> {
        let Some((header, body)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let length = length(*header, self.limit)?;
        let Some(message) = body.get(..length) else { return Ok(None) };
        let text = message.split(|b| *b == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        self.buffer.drain(..HEADER_BYTES + length);
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(bytes: &[u8]) -> Vec<u8> {
        [&bytes.len().to_ne_bytes(), bytes].concat()
    }

    #[test]
    fn bytes_as_they_are() {
        assert_eq!(super::frame(&[]), frame(b""));
        assert_eq!(super::frame(&[b"\xff\0", b"\n"]), frame(b"\xff\0\n"));
    }

    #[test]
    fn messages_with_and_without_nul() {
        let mut decoder = Decoder::new(64);
        for (bytes, text) in [
            (&b"show paths\0"[..], "show paths"),
            (b"show paths\n", "show paths\n"),
            (b"\0", ""),
            (b"a\0b\0", "a"),
            (b"\xff\0", "\u{fffd}"),
        ] {
            decoder.push(&frame(bytes));
            assert_eq!(decoder.next_message(), Ok(Some(text.into())));
            assert_eq!(decoder.next_message(), Ok(None));
        }
        assert_eq!(encode("ok\n"), frame(b"ok\n\0"));
        assert_eq!(encode("o\0k"), frame(b"o\0"));
    }

    #[test]
    fn limits() {
        let mut decoder = Decoder::new(4);
        decoder.push(&frame(b"abc\0"));
        assert_eq!(decoder.next_message(), Ok(Some("abc".into())));
        for (length, error) in [
            (0, WireError::Empty),
            (5, WireError::TooLong { length: 5, limit: 4 }),
            (usize::MAX, WireError::TooLong { length: usize::MAX, limit: 4 }),
        ] {
            let mut decoder = Decoder::new(4);
            decoder.push(&length.to_ne_bytes());
            assert_eq!(decoder.next_message(), Err(error));
        }
    }

    proptest! {
        #[test]
        fn any_messages_in_any_pieces(
            texts in prop::collection::vec("[^\0]{0,40}", 0..8),
            cuts in prop::collection::vec(1_usize..20, 1..60),
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|t| encode(t)).collect();
            let mut decoder = Decoder::new(MAX_COMMAND_BYTES);
            let (mut seen, mut rest) = (Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                decoder.push(piece);
                while let Some(text) = decoder.next_message().unwrap() { seen.push(text); }
                rest = more;
            }
            prop_assert_eq!(seen, texts);
            prop_assert!(!decoder.is_midway());
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::new(32);
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_message() {}
        }
    }
}
