//! How haft works, for those who want to know before they trust it.

#[doc = include_str!("architecture.md")]
pub mod architecture {}
