//! How haft works, how it is checked and where it runs, for those who want to know before they trust
//! it; and guides: recipes, finding leaks, watching, errors, the debugger, C, and exporting a Rust API.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("c.md")]
#[doc = "```c"]
#[doc = include_str!("../../tests/capi/guide.c")]
#[doc = "```"]
#[doc = include_str!("c_rules.md")]
pub mod c {}

#[doc = include_str!("exporting.md")]
pub mod exporting {}

#[doc = include_str!("recipes.md")]
pub mod recipes {}

#[doc = include_str!("scaling.md")]
pub mod scaling {}

#[doc = include_str!("leaks.md")]
pub mod leaks {}

#[doc = include_str!("verification.md")]
#[doc = include_str!("mutants.md")]
#[doc = include_str!("verification_tests.md")]
#[doc = include_str!("weakened.md")]
pub mod verification {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("systems.md")]
pub mod systems {}

#[doc = include_str!("watching.md")]
pub mod watching {}

#[doc = include_str!("debugger.md")]
pub mod debugger {}
