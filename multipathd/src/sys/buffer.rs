//! Memory that the kernel writes to while nobody here looks at it.
//!
//! A read that hangs can't be cancelled: its buffer lives until the kernel is done with it, however
//! late. So it is owned by the request, reached through a raw pointer only, and copied out once the
//! request has ended.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// No logical block that a device has here is larger.
const PAGE: usize = 4096;

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
    /// One of a logical block, aligned as that is: more is not asked for (open(2), O_DIRECT), and each that is aligned to a page
    /// would leave most of one between itself and the next.
    pub fn for_direct_io(block: usize) -> Self {
        Self::with_alignment(block, block.next_power_of_two().clamp(16, PAGE))
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

    /// The first `count` bytes, or as many as there are. To be called when the kernel is done.
    pub fn to_vec(&self, count: usize) -> Vec<u8> {
        // SAFETY: the memory is initialised (zeroed at first), `count` is within it, and the
        // kernel, the only writer, is done.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), count.min(self.len())) }.to_vec()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, not freed before.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// Gives the kernel back what was freed and lies between what is in use. To be called when much was freed.
pub fn give_back() {
    // SAFETY: it touches nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
