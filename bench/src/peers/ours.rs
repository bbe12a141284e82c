//! haft, and haft without its record of who made and removed each handle: the same lines for both.

use super::Peer;

macro_rules! ours {
    ($library:ident: $handle:ident, $handle_name:literal; $registry:ident, $registry_name:literal) => {
        /// The default registry, as in `Handle::new`.
        pub struct $handle;

        impl Peer for $handle {
            const NAME: &'static str = $handle_name;
            fn new() -> Self {
                Self
            }
            #[inline(always)]
            fn create(&self, value: u64) -> u64 {
                $library::Handle::new(value).to_bits()
            }
            #[inline(always)]
            fn find(&self, key: u64) -> Option<u64> {
                Some(*$library::Handle::<u64>::from_bits(key)?.get().ok()?)
            }
            #[inline(always)]
            fn remove(&self, key: u64) {
                $library::Handle::<u64>::from_bits(key).unwrap().remove().unwrap();
            }
        }

        /// A registry of its own.
        pub struct $registry($library::Registry<u64>);

        impl Peer for $registry {
            const NAME: &'static str = $registry_name;
            fn new() -> Self {
                Self($library::Registry::new())
            }
            #[inline(always)]
            fn create(&self, value: u64) -> u64 {
                self.0.insert(value).to_bits()
            }
            #[inline(always)]
            fn find(&self, key: u64) -> Option<u64> {
                Some(*self.0.get($library::Handle::from_bits(key)?).ok()?)
            }
            #[inline(always)]
            fn remove(&self, key: u64) {
                self.0.remove($library::Handle::from_bits(key).unwrap()).unwrap();
            }
        }
    };
}

ours!(haft: Haft, "haft `Handle`"; HaftRegistry, "haft `Registry`");
ours!(haft_bare: BareHaft, "haft `Handle`, no record"; BareRegistry, "haft `Registry`, no record");
