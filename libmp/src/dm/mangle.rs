//! How libdevmapper writes names and UUIDs for the kernel: every byte that udev would not take as `\xNN`.
//!
//! dmsetup, kpartx and multipath-tools go through it, each way. A text that has `\xNN` in it counts as written so already
//! and stays as it is, so not every text can be had; none of those that can is changed by there and back.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest name in the kernel (`DM_NAME_LEN` less the NUL).
pub const LONGEST_NAME: usize = 127;
/// Longest UUID in the kernel (`DM_UUID_LEN` less the NUL).
pub const LONGEST_UUID: usize = 128;

/// Why the kernel can't be given a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no room for it.
    #[error("longer than {0} bytes when bytes outside A-Za-z0-9#+-.:=@_ are written as \\xNN")]
    TooLong(usize),
    /// libdevmapper would not find what has it.
    #[error("\\xNN beside bytes that would have to be written so themselves")]
    Mixed,
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'+' | b'-' | b'.' | b':' | b'=' | b'@' | b'_')
}

/// A name or UUID for the kernel.
pub fn mangled(text: &str, longest: usize) -> Result<Cow<'_, str>, Refused> {
    let mangled = if text.bytes().all(is_plain) {
        Cow::Borrowed(text)
    } else if text.contains("\\x") {
        let is_mangled = unescaped(text).is_some() && !text.contains("\\x5cx");
        Cow::Borrowed(if is_mangled { text } else { return Err(Refused::Mixed) })
    } else {
        let bytes = text.bytes().map(|byte| {
            if is_plain(byte) { String::from(char::from(byte)) } else { format!("\\x{byte:02x}") }
        });
        Cow::Owned(bytes.collect())
    };
    if mangled.len() > longest { Err(Refused::TooLong(longest)) } else { Ok(mangled) }
}

/// A name or UUID of the kernel as people write it. What that would be no other way of writing, what is no text, and what
/// has control characters stays as it is.
pub fn unmangled(text: &str) -> Cow<'_, str> {
    let plain = || {
        let plain = String::from_utf8(unescaped(text)?).ok()?;
        let is_same = !plain.contains(char::is_control) && mangled(&plain, text.len()).ok()? == text;
        is_same.then_some(plain)
    };
    if text.contains("\\x") { plain().map_or(Cow::Borrowed(text), Cow::Owned) } else { Cow::Borrowed(text) }
}

/// The bytes that a mangled text stands for; `None` where it is none.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        if *first == b'\\' {
            let [b'x', high, low, after @ ..] = after else { return None };
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit(*high)? << 4 | digit(*low)?);
            rest = after;
        } else {
            bytes.push(Some(*first).filter(|byte| is_plain(*byte))?);
            rest = after;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_as_libdevmapper_writes_them() {
        for (plain, kernel) in [
            ("mpatha", "mpatha"),
            ("", ""),
            ("a#b+c-d.e:f=g@h_i", "a#b+c-d.e:f=g@h_i"),
            ("my disk(1)", r"my\x20disk\x281\x29"),
            ("db/a*", r"db\x2fa\x2a"),
            ("Zürich", r"Z\xc3\xbcrich"),
            (r"a\b", r"a\x5cb"),
        ] {
            assert_eq!(mangled(plain, LONGEST_NAME).as_deref(), Ok(kernel));
            assert_eq!(unmangled(kernel), plain);
            assert_eq!(mangled(kernel, LONGEST_NAME).as_deref(), Ok(kernel), "not twice");
        }
    }

    #[test]
    fn what_has_no_other_way_of_writing_stays() {
        // Plain bytes, upper case, no UTF-8, control characters, made by a tool that does not mangle.
        for kernel in [r"a\x41", r"a\x2A", r"\xff", r"a\x0a", r"a\x00b", r"a\x5cx41", "my disk", r"a\b \x20"]
        {
            assert_eq!(unmangled(kernel), kernel);
        }
    }

    #[test]
    fn what_the_kernel_is_not_given() {
        for mixed in [r"a\x20 b", r"a\x2", r"a\xyz", r"\x20\", r"a\x5cx41"] {
            assert_eq!(mangled(mixed, LONGEST_NAME), Err(Refused::Mixed), "{mixed}");
        }
        let room = "x".repeat(123);
        assert!(mangled(&format!("{room} "), LONGEST_NAME).is_ok());
        let long = format!("{room}- ");
        let refused = mangled(&long, LONGEST_NAME).map_err(|why| why.to_string());
        assert!(refused.is_err_and(|why| why.starts_with("longer than 127 bytes when")));
    }

    proptest! {
        #[test]
        fn there_and_back(text in any::<String>().prop_filter("as it is", |text| !text.contains("\\x"))) {
            match mangled(&text, LONGEST_NAME) {
                Ok(kernel) => {
                    prop_assert!(kernel.len() <= LONGEST_NAME);
                    prop_assert!(kernel.bytes().all(|byte| is_plain(byte) || byte == b'\\'));
                    let back = unmangled(&kernel);
                    prop_assert!(*back == text || text.contains(char::is_control) && back == kernel);
                }
                Err(why) => prop_assert_eq!(why, Refused::TooLong(LONGEST_NAME)),
            }
        }

        #[test]
        fn back_and_there(kernel in "([ab ]|\\\\x[2-7c][0-9a-f]|\\\\x5cx|\\\\){0,9}") {
            let plain = unmangled(&kernel);
            if *plain != kernel {
                let again = mangled(&plain, LONGEST_NAME);
                prop_assert_eq!(again.as_deref(), Ok(kernel.as_str()));
            }
        }
    }
}
