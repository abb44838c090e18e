//! Tables of what the core knows, by number: found in one step, and each look is counted.
//!
//! Numbers are given in their order and never again, so what lives is scattered thinly over them after
//! years: the table is a row of pages, and a page on which nothing is left goes.

use ::core::cell::Cell;
use ::core::marker::PhantomData;
use ::core::ops::Index;
use alloc::boxed::Box;
use alloc::vec::Vec;

const PAGE: usize = 64;

/// A number that a table finds something by.
pub trait Id: Copy {
    /// As it was given.
    fn number(self) -> u32;
    /// Back from there.
    fn of(number: u32) -> Self;
}

#[derive(Debug, Clone)]
struct Page<V> {
    used: usize,
    slots: [Option<Box<V>>; PAGE],
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table<K, V> {
    pages: Vec<Option<Box<Page<V>>>>,
    len: usize,
    looks: Cell<u64>,
    by: PhantomData<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0, looks: Cell::new(0), by: PhantomData }
    }
}

fn place(id: impl Id) -> (usize, usize) {
    let number = id.number() as usize;
    (number / PAGE, number % PAGE)
}

impl<K: Id, V> Table<K, V> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Is there none?
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How often something in it was looked at: what a piece of work costs, by this table.
    pub fn looks(&self) -> u64 {
        self.looks.get()
    }

    fn looked(&self) {
        self.looks.set(self.looks.get() + 1);
    }

    /// What has this number.
    pub fn get(&self, id: &K) -> Option<&V> {
        self.looked();
        let (page, slot) = place(*id);
        self.pages.get(page)?.as_ref()?.slots[slot].as_deref()
    }

    /// The same, but nothing is decided by it: it is no look.
    pub fn glance(&self, id: K) -> Option<&V> {
        let (page, slot) = place(id);
        self.pages.get(page)?.as_ref()?.slots[slot].as_deref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: &K) -> Option<&mut V> {
        self.looked();
        let (page, slot) = place(*id);
        self.pages.get_mut(page)?.as_mut()?.slots[slot].as_deref_mut()
    }

    /// Is there one of this number?
    pub fn contains_key(&self, id: &K) -> bool {
        self.get(id).is_some()
    }

    /// Puts something in; what had this number before comes out.
    pub fn insert(&mut self, id: K, value: V) -> Option<V> {
        let (page, slot) = place(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let empty = || Box::new(Page { used: 0, slots: [const { None }; PAGE] });
        let page = self.pages[page].get_or_insert_with(empty);
        let was = page.slots[slot].replace(Box::new(value));
        if was.is_none() {
            (page.used, self.len) = (page.used + 1, self.len + 1);
        }
        was.map(|was| *was)
    }

    /// Takes something out.
    pub fn remove(&mut self, id: &K) -> Option<V> {
        let (number, slot) = place(*id);
        let page = self.pages.get_mut(number)?.as_mut()?;
        let was = page.slots[slot].take()?;
        (page.used, self.len) = (page.used - 1, self.len - 1);
        if page.used == 0 {
            self.pages[number] = None;
        }
        Some(*was)
    }

    /// All, by number.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.pages.iter().enumerate().flat_map(move |(page, slots)| {
            let slots = slots.iter().flat_map(|page| page.slots.iter().enumerate());
            slots.filter_map(move |(slot, value)| {
                let value = value.as_deref()?;
                self.looked();
                Some((K::of(u32::try_from(page * PAGE + slot).unwrap_or(u32::MAX)), value))
            })
        })
    }

    /// The numbers of all.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(id, _)| id)
    }

    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All of them, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.looks.set(self.looks.get() + self.len as u64);
        let pages = self.pages.iter_mut().filter_map(Option::as_deref_mut);
        pages.flat_map(|page| page.slots.iter_mut().filter_map(Option::as_deref_mut))
    }
}

impl<K: Id, V> Index<&K> for Table<K, V> {
    type Output = V;
    fn index(&self, id: &K) -> &V {
        self.get(id).expect("whoever indexes knows that it is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::path::PathId;

    #[test]
    fn what_is_put_in_is_found_by_its_number_and_goes() {
        let mut table: Table<PathId, &str> = Table::default();
        for number in [3, 200, 64] {
            assert_eq!(table.insert(PathId(number), "x"), None);
        }
        assert_eq!(table.insert(PathId(200), "y"), Some("x"));
        assert_eq!(table.keys().collect::<Vec<_>>(), [PathId(3), PathId(64), PathId(200)]);
        assert_eq!((table.len(), table.get(&PathId(200)), table.get(&PathId(201))), (3, Some(&"y"), None));
        assert_eq!((table.remove(&PathId(64)), table.remove(&PathId(64))), (Some("x"), None));
        assert_eq!(table.remove(&PathId(64_000)), None);
        assert!(table.pages[1].is_none(), "a page on which nothing is left goes");
        assert_eq!(table.values().copied().collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn each_look_is_counted() {
        let mut table: Table<PathId, u8> = Table::default();
        for number in 0..100 {
            table.insert(PathId(number), 0);
        }
        table.get(&PathId(1));
        table.get_mut(&PathId(2));
        table.values().for_each(drop);
        assert_eq!(table.looks(), 102);
    }
}
