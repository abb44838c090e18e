//! Memory that the kernel writes to while nobody here looks at it.
//!
//! A read that hangs can't be cancelled: its buffer lives until the kernel is done with it, however
//! late. So it is owned by the request, reached through a raw pointer only, and copied out once the
//! request has ended.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No device wants more.
pub const PAGE: usize = 4096;

/// A zeroed piece of memory of fixed size and address, aligned for direct I/O.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its memory; a raw pointer is all that keeps it from being Send by itself.
unsafe impl Send for Buffer {}
// SAFETY: shared access only gives out the pointer and copies.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// One of so many bytes, aligned to them: each that is aligned to a page would leave most of one between itself and the next.
    pub fn for_direct_io(room: usize) -> Self {
        Self::with_alignment(room, room.next_power_of_two().clamp(16, PAGE))
    }

    /// One of so many bytes.
    pub fn plain(size: usize) -> Self {
        Self::with_alignment(size, 16)
    }

    /// One that holds these bytes. It has at least one.
    pub fn filled(bytes: &[u8]) -> Self {
        let buffer = Self::plain(bytes.len());
        // SAFETY: it is as long as the bytes at least, and nobody else knows of it yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.as_ptr(), bytes.len()) };
        buffer
    }

    fn with_alignment(size: usize, alignment: usize) -> Self {
        let layout =
            Layout::from_size_align(size.max(1), alignment).expect("a small size and a power of two");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        Self { start: NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    /// Where it starts.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    /// It never is: an allocation has at least one byte.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The first `count` bytes, or as many as there are.
    ///
    /// # Safety
    ///
    /// The kernel, the only writer, must be done with it.
    pub unsafe fn to_vec(&self, count: usize) -> Vec<u8> {
        // SAFETY: the memory is initialised (zeroed at first), `count` is within it, and nobody writes to it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), count.min(self.len())) }.to_vec()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, not freed before.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// Pieces of memory like a [`Buffer`], of one size, for what hangs by the thousand: many lie in one block, which the allocator maps
/// by itself, and gives back as soon as none of them is used. By themselves they would lie between what outlives them.
#[derive(Debug)]
pub struct Pool {
    size: usize,
    blocks: Mutex<Vec<Block>>,
}

#[derive(Debug)]
struct Block {
    /// None where nothing of it is used, but of the first.
    memory: Option<Buffer>,
    /// Numbers of the pieces that nobody has; those that were used last are last.
    free: Vec<usize>,
}

/// One of a [`Pool`].
#[derive(Debug)]
pub struct Piece {
    pool: Arc<Pool>,
    start: NonNull<u8>,
    block: usize,
    number: usize,
}

// SAFETY: nobody else has this piece of the pool's memory; a raw pointer is all that keeps it from being Send by itself.
unsafe impl Send for Piece {}

impl Pool {
    /// Bytes of a block.
    const BLOCK: usize = 128 << 10;

    /// One of pieces of so many bytes, each aligned to them, or to a page.
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self { size: size.max(1), blocks: Mutex::default() })
    }

    /// Takes one, zeroed when it is taken for the first time.
    pub fn take(self: &Arc<Self>) -> Piece {
        let mut blocks = self.lock();
        let block = blocks.iter().position(|block| !block.free.is_empty()).unwrap_or_else(|| {
            blocks.push(Block { memory: None, free: (0..self.pieces()).rev().collect() });
            blocks.len() - 1
        });
        let Block { memory, free } = &mut blocks[block];
        let number = free.pop().unwrap_or_default();
        let memory = memory.get_or_insert_with(|| Buffer::with_alignment(self.pieces() * self.size, PAGE));
        // SAFETY: the number is below that of the block's pieces.
        let start = unsafe { memory.start.add(number * self.size) };
        Piece { pool: self.clone(), start, block, number }
    }

    /// In a block.
    const fn pieces(&self) -> usize {
        let pieces = Self::BLOCK / self.size;
        if pieces == 0 { 1 } else { pieces }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Block>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    /// Where it starts.
    pub const fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut blocks = self.pool.lock();
        let block = &mut blocks[self.block];
        block.free.push(self.number);
        if self.block > 0 && block.free.len() == self.pool.pieces() {
            block.memory = None;
            block.free.sort_unstable_by(|a, b| b.cmp(a));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_apart_and_blocks_go_with_their_last_one() {
        for size in [512, 4096, Pool::BLOCK, Pool::BLOCK + 4096] {
            let pool = Pool::new(size);
            let pieces: Vec<_> = (0..3 * pool.pieces()).map(|_| pool.take()).collect();
            let mut starts: Vec<_> = pieces.iter().map(|piece| piece.as_ptr().addr()).collect();
            starts.sort_unstable();
            assert!(starts.iter().all(|start| start % size.min(PAGE) == 0), "{size}");
            assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= size), "{size}");
            let held = || pool.lock().iter().map(|block| block.memory.is_some()).collect::<Vec<_>>();
            assert_eq!(held(), [true; 3]);
            let last = pieces.into_iter().last();
            assert_eq!(held(), [true, false, true], "the first is kept, the last is used");
            drop(last);
            assert_eq!(held(), [true, false, false]);
            let again: Vec<_> = (0..=pool.pieces()).map(|_| pool.take()).collect();
            assert_eq!((held(), again.len()), (vec![true, true, false], pool.pieces() + 1));
        }
    }
}
