//! Names in their order, found out when this is compiled.

/// Indexes of `names`, in the order of the names.
pub(super) const fn order<const N: usize>(names: &[&str]) -> [u8; N] {
    assert!(N == names.len() && N <= 256, "an index has eight bits");
    let mut order = [0; N];
    let mut filled = 0;
    while filled < N {
        let mut at = filled;
        while at > 0 && is_before(names[filled].as_bytes(), names[order[at - 1] as usize].as_bytes()) {
            order[at] = order[at - 1];
            at -= 1;
        }
        order[at] = filled.to_le_bytes()[0];
        filled += 1;
    }
    order
}

const fn is_before(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return a[at] < b[at];
        }
        at += 1;
    }
    a.len() < b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_in_order() {
        assert_eq!(order::<5>(&["prio", "alias", "prio_args", "uid", "gid"]), [1, 4, 0, 2, 3]);
    }
}
