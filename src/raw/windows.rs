//! What Windows is asked for, declared by hand: a handful of functions of kernel32.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

type Function = unsafe extern "system" fn();

#[link(name = "kernel32")]
unsafe extern "system" {
    fn FlushProcessWriteBuffers();
    fn GetCurrentThread() -> *mut c_void;
    fn GetModuleFileNameW(module: *mut c_void, name: *mut u16, length: u32) -> u32;
    fn GetModuleHandleA(name: *const c_char) -> *mut c_void;
    fn GetProcAddress(module: *mut c_void, name: *const c_char) -> Option<Function>;
    fn LocalFree(memory: *mut c_void) -> *mut c_void;
    fn VirtualQuery(address: *const c_void, found: *mut Information, length: usize) -> usize;
}

/// Windows' `MEMORY_BASIC_INFORMATION`. (With 64 bits, its field `PartitionId` is in the padding.)
#[repr(C)]
struct Information {
    base: usize,
    allocation: usize,
    allocation_protect: u32,
    size: usize,
    state: u32,
    protect: u32,
    kind: u32,
}

const _: () = assert!(size_of::<Information>() == if size_of::<usize>() == 8 { 48 } else { 28 });

const MEM_FREE: u32 = 0x1_0000;
const MEM_IMAGE: u32 = 0x100_0000;

/// A function that not every Windows has.
fn function(module: &CStr, name: &CStr) -> Option<Function> {
    // SAFETY(F4): both are texts that end with a zero; nothing is loaded by this.
    unsafe {
        let module = GetModuleHandleA(module.as_ptr());
        if module.is_null() { None } else { GetProcAddress(module, name.as_ptr()) }
    }
}

/// Whether this is wine, which runs programs for Windows elsewhere.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "see `barrier`"))]
pub(crate) fn is_wine() -> bool {
    function(c"ntdll.dll", c"wine_get_version").is_some()
}

/// Makes every thread of the process pass a barrier, as the system has it.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "see `barrier`"))]
pub(crate) fn flush_process_write_buffers() {
    // SAFETY(E12): it takes nothing, cannot fail, and touches no memory of ours.
    unsafe { FlushProcessWriteBuffers() }
}

/// What the system calls the calling thread, in UTF-8; what does not fit is left out.
pub(crate) fn thread_name<const BYTES: usize>() -> [u8; BYTES] {
    type Describe = unsafe extern "system" fn(*mut c_void, *mut *mut u16) -> i32;
    let mut name = [0; BYTES];
    // Of Windows 10 in its version 1607.
    let Some(describe) = function(c"kernel32.dll", c"GetThreadDescription") else {
        return name;
    };
    // SAFETY(F4): this is the function's type, as Windows documents it.
    let describe: Describe = unsafe { std::mem::transmute(describe) };
    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY(F4): a place for a pointer; where it succeeds, that is to a text that ends with a zero.
    if unsafe { describe(GetCurrentThread(), &mut text) } < 0 || text.is_null() {
        return name;
    }
    let mut end = text;
    // SAFETY(F4): the units up to the zero are there.
    let units = std::iter::from_fn(|| unsafe {
        let unit = *end;
        end = end.add(usize::from(unit != 0));
        (unit != 0).then_some(unit)
    });
    let mut used = 0;
    for next in char::decode_utf16(units) {
        let next = next.unwrap_or(char::REPLACEMENT_CHARACTER);
        // With the zero behind it.
        if used + next.len_utf8() >= BYTES {
            break;
        }
        used += next.encode_utf8(&mut name[used..]).len();
    }
    // SAFETY(F4): the text is ours to free, by this.
    unsafe { LocalFree(text.cast()) };
    name
}

/// What an address is in.
pub(crate) enum Memory {
    /// Nothing.
    Free,
    /// The allocation that begins here, of no file.
    Plain(usize),
    /// The file of this path, which is a program or library.
    Image(String),
}

/// What an address is in.
pub(crate) fn memory(address: usize) -> Memory {
    let mut found =
        Information { base: 0, allocation: 0, allocation_protect: 0, size: 0, state: 0, protect: 0, kind: 0 };
    let address = ptr::without_provenance(address);
    // SAFETY(F4): a place for the answer, of the length that is given; the address is not read.
    let known = unsafe { VirtualQuery(address, &mut found, size_of::<Information>()) } != 0;
    // It fails for addresses that no process can have.
    if !known || found.state == MEM_FREE {
        return Memory::Free;
    }
    if found.kind != MEM_IMAGE {
        return Memory::Plain(found.allocation);
    }
    let mut name = [0_u16; 512];
    let module = ptr::without_provenance_mut(found.allocation);
    // SAFETY(F4): a place for so many units; a module that is not there gives no name.
    let length = unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), name.len() as u32) };
    match length {
        0 => Memory::Plain(found.allocation),
        length => Memory::Image(String::from_utf16_lossy(&name[..length as usize])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_that_runs_wine_says_so() {
        assert_eq!(is_wine(), std::env::var_os("HAFT_ON_WINE").is_some());
    }

    #[test]
    fn a_name_of_the_system_is_cut_between_two_characters() {
        let named = |name: &str| {
            std::thread::Builder::new().name(name.into()).spawn(thread_name::<8>).unwrap().join().unwrap()
        };
        assert_eq!(named("short"), *b"short\0\0\0");
        assert_eq!(named("seven and more"), *b"seven a\0");
        assert_eq!(named("sechs \u{e4}"), *b"sechs \0\0");
        assert_eq!(named("sech \u{e4}!"), *b"sech \xc3\xa4\0");
    }

    #[test]
    fn e12_the_barrier_of_the_system_returns() {
        flush_process_write_buffers();
    }
}
