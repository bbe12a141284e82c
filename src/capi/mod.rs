//! The C side: [`ffi`] for authors of C APIs in Rust, and, with the feature `capi`, haft's own C API.
//!
//! The C API is declared in `include/haft.h`, which is generated from here. It never takes a reference, an enum or a Rust type from C, only
//! integers and pointers, and writes what it returns through a pointer, only on success. A panic never crosses: it becomes
//! `HAFT_PANIC`. See [`docs::c`](crate::docs::c) for the guide.

#![allow(unsafe_code)]

pub mod ffi;
mod pointers;
mod status;

#[cfg(feature = "capi")]
mod confine;
#[cfg(feature = "capi")]
mod desk;
#[cfg(feature = "capi")]
mod handles;
#[cfg(feature = "capi")]
mod kind;
#[cfg(feature = "capi")]
mod misuse;
#[cfg(feature = "capi")]
mod report;

#[cfg(feature = "capi")]
pub use {confine::*, desk::haft_ref, handles::*, kind::haft_type, misuse::*, report::*};
