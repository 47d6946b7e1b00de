//! Symbols and keywords: a name with an optional namespace, kept as the text `namespace/name`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Splits `ns/name` at the first slash; a slash in front is part of the name.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.find('/') {
        Some(at) if at > 0 && at + 1 < text.len() => (Some(&text[..at]), &text[at + 1..]),
        _ => (None, text),
    }
}

/// Names without a namespace first, then by namespace, then by name.
fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let ((na, a), (nb, b)) = (split(a), split(b));
    na.cmp(&nb).then_with(|| a.cmp(b))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $sigil:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// From its text, `name` or `namespace/name`, without any colon.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// From a namespace and a name.
            pub fn with_namespace(namespace: &str, name: &str) -> Self {
                Self(format!("{namespace}/{name}").into())
            }

            /// The whole text, `name` or `namespace/name`.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The shared text itself.
            pub fn text(&self) -> &Arc<str> {
                &self.0
            }

            /// What stands before the first slash, if anything does.
            pub fn namespace(&self) -> Option<&str> {
                split(&self.0).0
            }

            /// What stands after the first slash, or everything.
            pub fn name(&self) -> &str {
                split(&self.0).1
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                compare(&self.0, &other.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($sigil)?;
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

name_type!(
    /// A symbol, such as `?e`, `$`, `clojure.string/join`.
    Symbol,
    ""
);
name_type!(
    /// A keyword, such as `:name` or `:db/id`; the text inside has no colon.
    Keyword,
    ":"
);
