//! [`Site`]: a line that created or removed a handle.

use crate::raw::site as raw;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;

/// A line of source that created or removed a handle; in Rust, or in whatever language called through C; or a place
/// in words ([`named`](Self::named)).
///
/// Eight bytes, `Copy`. Two are equal where they say the same.
///
/// ```
/// let handle = haft::Handle::new(1);
/// handle.delete();
/// let created = handle.get().unwrap_err().created_at().unwrap();
/// assert_eq!((created.file(), created.line()), (file!(), line!() - 3));
/// assert!(created.to_string().starts_with(file!()));
/// ```
#[derive(Clone, Copy)]
pub struct Site(raw::Site);

impl Site {
    pub(crate) fn of(number: u32) -> Option<Self> {
        raw::site(number).map(Self)
    }

    /// A place in words, for handles that are created on behalf of something else than a line of Rust: a script's
    /// line, a method of Java's. Errors and reports show the text, as [`file`](Self::file).
    ///
    /// The same text gives an equal site. A text is copied once, its first 256 bytes, and stays for ever. haft
    /// remembers some 65,000 places in all; where there is no room for one more, the site is the line of this call.
    /// Cost: the text is hashed and compared. Lock-free, but for the copy. Keep the site, where a place creates many.
    ///
    /// ```
    /// use haft::{Handle, Site};
    ///
    /// let place = Site::named("scripts/login.lua:12");
    /// let handle = Handle::new_at(String::from("session"), place);
    /// assert!(haft::leaks().to_string().contains("scripts/login.lua:12"));
    /// handle.delete();
    /// assert_eq!(handle.get().unwrap_err().created_at(), Some(place));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn named(text: &str) -> Self {
        Self(raw::Site::named(text).unwrap_or_else(|| raw::Site::of(Location::caller())))
    }

    pub(crate) fn spot(self) -> impl raw::Spot {
        self.0
    }

    /// The file, as the compiler was told of it; or all the words of a [`named`](Self::named) place.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.0.parts().0
    }

    /// The line, from 1; 0 where another language did not tell it, and for places in words.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.0.parts().1
    }

    /// The column, from 1, where the language tells it: Rust does, C does not.
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        self.0.parts().2
    }

    /// The `Location`, for a line of Rust.
    #[must_use]
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.location()
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        self.0.parts() == other.0.parts()
    }
}

impl Eq for Site {}

impl PartialOrd for Site {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Site {
    /// By file, then line.
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.parts().cmp(&other.0.parts())
    }
}

impl Hash for Site {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.parts().hash(state);
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line, column) = self.0.parts();
        // A call from another language that did not say where it is.
        if line == 0 {
            return f.write_str(file);
        }
        write!(f, "{file}:{line}")?;
        column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
