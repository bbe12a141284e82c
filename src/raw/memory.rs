//! Memory for slots: taken from the global allocator, never freed, and given back to the system while it
//! is vacant.
//!
//! A page keeps its address range for ever, so a lookup may look at a slot at any time (I2). What comes
//! back is the memory behind the addresses: the system takes it and shows zeros, or leaves the words that
//! were there, which are vacant. (The kernel's `SLAB_TYPESAFE_BY_RCU` keeps types in place in the same way.)
//!
//! All memory comes from `alloc_zeroed` with a small alignment, which is `calloc`: it does not touch fresh
//! memory, leak checkers see the values in it, and a program's own allocator serves it.

#[cfg(haft_loom)]
use super::history::History;
use super::layout::{PageLayout, TypeInfo};
#[cfg(haft_loom)]
use super::slot::Slot;
#[cfg(not(haft_loom))]
use crate::sync::Mutex;
use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;

/// Blocks of fewer bytes are allocated by themselves, and never given back: the ranges that a system takes
/// are pages of its own, and little of such a block would be left.
#[cfg(not(haft_loom))]
pub(crate) const SMALLEST: usize = 32 * 1024;
/// In models every page comes and goes.
#[cfg(haft_loom)]
pub(crate) const SMALLEST: usize = 0;

/// What Rust's system allocator asks `calloc` for. (For more it asks for memory that it then writes zeros to.)
pub(crate) const SMALL_ALIGN: usize = 2 * size_of::<usize>();

/// Takes the memory of a page with so many slots: zeros. Returns where the slots begin; the histories lie
/// before them. `None` if the allocator has no memory, or the address space no room.
pub(crate) fn take(info: &TypeInfo, slots: u32) -> Option<NonNull<u8>> {
    let layout = info.page_layout(slots)?;
    let start = if layout.bytes < SMALLEST { alone(layout)? } else { in_region(layout)? };
    // SAFETY(I2): within the block.
    let first = unsafe { start.add(layout.front) };
    // A model's atomics are more than zeros.
    #[cfg(haft_loom)]
    for index in 0..slots as usize {
        // SAFETY(I2): within the block, which nobody else has yet.
        unsafe {
            first.add(index * info.stride).cast::<Slot>().write(Slot::new());
            first.cast::<History>().sub(index + 1).write(History::new());
        }
    }
    Some(first)
}

/// A block by itself.
fn alone(layout: PageLayout) -> Option<NonNull<u8>> {
    aligned(layout.bytes, layout.align)
}

/// Allocates zeros at an alignment that the allocator is not asked for.
fn aligned(bytes: usize, align: usize) -> Option<NonNull<u8>> {
    let slack = align.saturating_sub(SMALL_ALIGN);
    let whole = Layout::from_size_align(bytes.checked_add(slack)?, SMALL_ALIGN.min(align)).ok()?;
    // SAFETY(I2): a page has a slot, so the size is not zero.
    let start = NonNull::new(unsafe { alloc_zeroed(whole) })?;
    // SAFETY(I2): the slack is within the allocation.
    Some(unsafe { start.add(start.align_offset(align)) })
}

/// Bytes that are asked for at once, so that little is lost between blocks.
#[cfg(not(haft_loom))]
const REGION: usize = 2 << 20;

/// Where blocks of a region begin, so that each has pages of the system's own.
#[cfg(not(haft_loom))]
const BLOCK_ALIGN: usize = 4096;

/// The rest of the last region.
#[cfg(not(haft_loom))]
static REST: Mutex<Option<(Next, usize)>> = Mutex::new(None);

#[cfg(not(haft_loom))]
struct Next(NonNull<u8>);

// SAFETY(I2): memory that nobody has yet; used under the lock alone.
#[cfg(not(haft_loom))]
unsafe impl Send for Next {}

/// A block of a region, aligned to a page of the system.
#[cfg(not(haft_loom))]
fn in_region(layout: PageLayout) -> Option<NonNull<u8>> {
    let bytes = layout.bytes.checked_next_multiple_of(BLOCK_ALIGN)?;
    if bytes > REGION / 4 || layout.align > BLOCK_ALIGN {
        return alone(PageLayout { bytes, align: layout.align.max(BLOCK_ALIGN), ..layout });
    }
    let mut rest = REST.lock();
    let (start, left) = match rest.take() {
        Some((Next(start), left)) if left >= bytes => (start, left),
        _ => (aligned(REGION, BLOCK_ALIGN)?, REGION),
    };
    // SAFETY(I2): within the region.
    *rest = Some((Next(unsafe { start.add(bytes) }), left - bytes));
    Some(start)
}

#[cfg(haft_loom)]
fn in_region(layout: PageLayout) -> Option<NonNull<u8>> {
    alone(layout)
}

/// Gives the memory of a vacant page back to the system, if it can be and is worth it. The addresses stay.
///
/// # Safety
///
/// `slots` comes from [`take`] with this layout. Nobody writes there meanwhile, or expects to find what it
/// has written.
#[cfg(all(unix, not(miri), not(haft_loom)))]
pub(crate) unsafe fn give_back(slots: NonNull<u8>, layout: PageLayout) {
    let start = slots.addr().get() - layout.front;
    // SAFETY(F4): the call takes one integer.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(1 << 16);
    let (first, end) = (start.next_multiple_of(page), (start + layout.bytes) / page * page);
    if layout.bytes >= SMALLEST && first < end {
        // SAFETY(I8): whole pages of the system within the block, which the caller says nobody uses.
        // Where the call fails, the words stay as they are: vacant.
        unsafe {
            let first = slots.as_ptr().with_addr(first).cast();
            libc::madvise(first, end - first.addr(), DISCARD);
        }
    }
}

/// What tells the system that the contents of a range are not needed any more.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri), not(haft_loom)))]
const DISCARD: libc::c_int = libc::MADV_DONTNEED;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android")), not(miri), not(haft_loom)))]
const DISCARD: libc::c_int = libc::MADV_FREE;

/// There is no such call here: the memory stays with the process.
///
/// # Safety
///
/// None; it is unsafe where there is such a call.
#[cfg(not(all(unix, not(miri), not(haft_loom))))]
pub(crate) unsafe fn give_back(_: NonNull<u8>, _: PageLayout) {}
