//! The registries that `Handle::new` creates in: one for each type, for ever.

use super::layout::TypeInfo;
use super::set::{Set, UNLIMITED};
use super::space::Space;
use crate::sync::Mutex;
use std::any::TypeId;
use std::collections::HashMap;

/// The default registries, one per type; never dropped.
static DEFAULTS: Mutex<Option<HashMap<TypeId, &'static Set>>> = Mutex::new(None);

/// The default registry of `T`, in the space of this process.
pub(crate) fn default_set<T: 'static>(space: &'static Space) -> &'static Set {
    let mut defaults = DEFAULTS.lock();
    defaults
        .get_or_insert_with(HashMap::new)
        .entry(TypeId::of::<T>())
        .or_insert_with(|| Set::of(TypeInfo::of::<T>(), space, UNLIMITED))
}
