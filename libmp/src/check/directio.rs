//! The `directio` checker: one block read with O_DIRECT, past every cache of the host.

use super::Judged;
use crate::types::Errno;

pub(super) fn judge(read: Result<usize, Errno>) -> Judged {
    match read {
        Ok(0) => Judged::DOWN, // nothing to read: a device of no size
        Ok(_) => Judged::UP,
        Err(errno) => super::failed(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckState::*;
    use super::*;

    #[test]
    fn data_or_an_error() {
        for (read, state) in [
            (Ok(4096), Up),
            (Ok(512), Up),
            (Ok(0), Down),
            (Err(Errno::EIO), Down),
            (Err(Errno::ENXIO), Down),
            (Err(Errno(110)), Down),
            (Err(Errno(12)), Pending),
        ] {
            assert_eq!(judge(read).state, state, "{read:?}");
        }
    }
}
