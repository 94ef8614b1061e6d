//! Fields of inputs, as checks see them: given, omitted or null.

use crate::scalars::{MaybeUndefined, ObjectId};

/// A field of an input. One check serves the input that creates and the one that updates.
pub(crate) trait Field {
    /// The type of its value.
    type Value: ?Sized;

    /// Its value, if it was given.
    fn given(&self) -> Option<&Self::Value>;

    /// Whether it is null, which is not the same as omitted.
    fn is_null(&self) -> bool {
        false
    }
}

impl Field for str {
    type Value = str;

    fn given(&self) -> Option<&str> {
        Some(self)
    }
}

impl Field for String {
    type Value = str;

    fn given(&self) -> Option<&str> {
        Some(self)
    }
}

impl Field for ObjectId {
    type Value = ObjectId;

    fn given(&self) -> Option<&ObjectId> {
        Some(self)
    }
}

/// An optional field, for which null means the same as omitted.
impl<T> Field for Option<T> {
    type Value = T;

    fn given(&self) -> Option<&T> {
        self.as_ref()
    }
}

impl<T> Field for MaybeUndefined<T> {
    type Value = T;

    fn given(&self) -> Option<&T> {
        self.value()
    }

    fn is_null(&self) -> bool {
        MaybeUndefined::is_null(self)
    }
}
