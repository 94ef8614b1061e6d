//! Pagination arguments: their limits, and the part of a list that they select.

use crate::{
    db::keyset::{Keyed, Order, Slice},
    error::Error,
};

/// Page size if neither `first` nor `last` is given.
pub(super) const DEFAULT_SIZE: i32 = 50;
/// Maximum page size.
pub(super) const MAX_SIZE: i32 = 100;
/// Maximum `offset`.
const MAX_OFFSET: i32 = 10_000;

/// The arguments that select a part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct PageArguments {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
    pub(crate) offset: Option<i32>,
}

impl PageArguments {
    /// The arguments of a list that can only be read forward.
    pub(crate) fn forward(first: Option<i32>, after: Option<String>) -> Self {
        PageArguments {
            first,
            after,
            ..Default::default()
        }
    }

    /// The part of a list in this order that the arguments select.
    ///
    /// # Errors
    /// BAD_USER_INPUT if an argument is out of range, is a cursor of another order, or cannot be combined with another.
    pub(crate) fn slice<T: Keyed>(&self, order: Order<T>) -> Result<Slice, Error> {
        let size = self.size()?;
        let offset = self.offset.unwrap_or(0);
        if !(0..=MAX_OFFSET).contains(&offset) {
            return Err(Error::bad_input(format!(
                "`offset` must be between 0 and {MAX_OFFSET}; got {offset}."
            )));
        }
        let bounded = self.last.is_some() || self.after.is_some() || self.before.is_some();
        if self.offset.is_some() && bounded {
            return Err(Error::bad_input(
                "`offset` can only be combined with `first`, not with `after`, `last` or `before`.",
            ));
        }
        let position = |name: &str, cursor: &Option<String>| {
            let message = || format!("`{name}` must be a cursor of this list in the same order.");
            let position = cursor
                .as_ref()
                .map(|cursor| order.position(cursor).ok_or_else(message));
            position.transpose().map_err(Error::bad_input)
        };
        Ok(Slice {
            size: i64::from(size),
            backward: self.last.is_some(),
            after: position("after", &self.after)?,
            before: position("before", &self.before)?,
            offset: i64::from(offset),
        })
    }

    /// The page size: `first` or `last`.
    ///
    /// # Errors
    /// BAD_USER_INPUT if it is out of range, or if both are given.
    pub(crate) fn size(&self) -> Result<i32, Error> {
        if self.first.is_some() && self.last.is_some() {
            return Err(Error::bad_input("`first` and `last` cannot be combined."));
        }
        let (name, size) = match self.last {
            Some(last) => ("last", last),
            None => ("first", self.first.unwrap_or(DEFAULT_SIZE)),
        };
        if (1..=MAX_SIZE).contains(&size) {
            return Ok(size);
        }
        Err(Error::bad_input(format!(
            "`{name}` must be between 1 and {MAX_SIZE}; got {size}."
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        courses::{self, CourseOrder, CourseOrderField},
        items::OrderBy,
    };

    fn order() -> Order<courses::Course> {
        let order_by = CourseOrder {
            field: CourseOrderField::Name,
            direction: None,
        };
        Order::by_all([order_by.sorted()])
    }

    #[test]
    fn arguments_that_cannot_be_combined_are_rejected() {
        let arguments = |first, last, offset, after: Option<&str>| PageArguments {
            first,
            last,
            offset,
            after: after.map(str::to_owned),
            before: None,
        };
        let arguments = [
            arguments(Some(0), None, None, None),
            arguments(Some(-1), None, None, None),
            arguments(Some(101), None, None, None),
            arguments(None, Some(0), None, None),
            arguments(Some(1), Some(1), None, None),
            arguments(None, None, Some(-1), None),
            arguments(None, None, Some(10_001), None),
            arguments(None, Some(1), Some(0), None),
            arguments(None, None, None, Some("nonsense")),
        ];
        for arguments in arguments {
            assert!(arguments.slice(order()).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_page_has_fifty_items_by_default() {
        let slice = PageArguments::default()
            .slice(order())
            .expect("the defaults are valid");
        assert_eq!((slice.size, slice.backward, slice.offset), (50, false, 0));
    }
}
