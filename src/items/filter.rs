//! Filters of lists of items. A filter is the conjunction of its fields, and `and`, `or` and `not` combine filters.
//!
//! A noun declares its own fields with `filter!`, which adds the fields that the filters of all items have. It names each
//! condition once, in [`Listed::conditions`]. The same code checks a filter and counts its conditions, by writing them without
//! sending them.

pub(crate) mod store;

use std::{fmt::Debug, hash::Hash};

use store::{Conditions, Extent};

use super::{ItemStatus, Listed};
use crate::{
    error::Error,
    scalars::{DateTime, MaybeUndefined, ObjectId},
};
use async_graphql::{InputObject, InputType};

/// Maximum number of conditions in a filter, including the filters that it combines.
const MAX_CONDITIONS: usize = 20;
/// Maximum nesting of `and`, `or` and `not`.
const MAX_LEVELS: usize = 3;

/// The fields that the filters of all items have.
#[derive(InputObject, Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ItemFilter {
    /// Only items with this status. By default, `ACTIVE` at the top level, and any status in `and`, `or` and `not`. Null includes the trash.
    pub status: MaybeUndefined<ItemStatus>,
    /// Only items with one of these ids. Maximum 100 different ids. An empty list matches nothing, as does an id that is not a UUID. Null does not filter.
    pub ids: Option<Vec<ObjectId>>,
    /// Only items that were created at or after this time. Null does not filter.
    pub created_after: Option<DateTime>,
    /// Only items that were created before this time. Null does not filter.
    pub created_before: Option<DateTime>,
    /// Only items that last changed at or after this time. Null does not filter.
    pub updated_after: Option<DateTime>,
    /// Only items that last changed before this time. Null does not filter.
    pub updated_before: Option<DateTime>,
}

/// A noun's `filter` argument.
pub(crate) trait Filter:
    InputType + Debug + Clone + PartialEq + Eq + Hash + Default
{
    /// The part of a title that it looks for.
    fn title_part(&self) -> Option<&str>;
    /// The fields that the filters of all items have.
    fn shared(&self) -> &ItemFilter;
    /// Filters that must all match.
    fn and(&self) -> &[Self];
    /// Filters of which one must match; `None` if this is not a condition.
    fn or(&self) -> Option<&[Self]>;
    /// A filter that must not match.
    fn not(&self) -> Option<&Self>;
}

/// Declares a noun's `filter` argument: its own fields, those of all items, and the combinations. `title part` names the field whose
/// text the title must contain.
macro_rules! filter {
    (
        $(#[$doc:meta])* $Filter:ident, title part: $title_part:ident {
            $($(#[$field_doc:meta])* $field:ident: $Type:ty),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        ///
        /// All of its fields must match. Omitted fields do not filter, except `status`. Maximum 20 conditions, including those in
        /// `and`, `or` and `not`, and maximum 3 levels of these. Each condition adds 1 to the cost of the list, unless its
        /// description says otherwise. The first point is free.
        #[derive(async_graphql::InputObject, Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $Filter {
            $($(#[$field_doc])* pub $field: $Type,)+
            /// The fields that the filters of all items have.
            #[graphql(flatten)]
            pub shared: $crate::items::ItemFilter,
            /// Only items that match all of these filters as well. An empty list matches everything. Null does not filter.
            pub and: Option<Vec<$Filter>>,
            /// Only items that match at least one of these filters as well. An empty list matches nothing. Null does not filter.
            pub or: Option<Vec<$Filter>>,
            /// Only items that do not match this filter. An empty filter matches every item, so `not: {}` matches nothing. Null does not filter.
            pub not: Option<Box<$Filter>>,
        }

        impl $crate::items::Filter for $Filter {
            fn title_part(&self) -> Option<&str> {
                self.$title_part.as_deref()
            }

            fn shared(&self) -> &$crate::items::ItemFilter {
                &self.shared
            }

            fn and(&self) -> &[Self] {
                self.and.as_deref().unwrap_or_default()
            }

            fn or(&self) -> Option<&[Self]> {
                self.or.as_deref()
            }

            fn not(&self) -> Option<&Self> {
                self.not.as_deref()
            }
        }
    };
}
pub(crate) use filter;

/// Checks a filter, and measures it.
///
/// # Errors
/// BAD_USER_INPUT, with the path of what is wrong.
pub(super) fn check<T: Listed>(filter: &T::Filter) -> Result<Extent, Error> {
    let mut extent = Extent::default();
    check_at::<T>(filter, "filter", 0, &mut extent)?;
    Ok(extent)
}

/// Checks the filter at this path, which is nested in `level` combinations, and adds its conditions to `extent`. A filter without
/// conditions counts as one, so that the number of filters is limited too.
fn check_at<T: Listed>(
    filter: &T::Filter,
    path: &str,
    level: usize,
    extent: &mut Extent,
) -> Result<(), Error> {
    if level > MAX_LEVELS {
        let message = format!(
            "`{path}` is nested {level} levels deep; the maximum is {MAX_LEVELS}. Use fewer levels of `and`, `or` and `not`."
        );
        return Err(Error::bad_input(message));
    }
    let before = extent.conditions;
    Conditions::measure(path, extent, |conditions| {
        write_fields::<T>(filter, conditions);
    })?;
    for (name, filters) in [
        ("and", filter.and()),
        ("or", filter.or().unwrap_or_default()),
    ] {
        for (index, one) in filters.iter().enumerate() {
            let path = format!("{path}.{name}[{index}]");
            check_at::<T>(one, &path, level + 1, extent)?;
        }
    }
    if let Some(not) = filter.not() {
        check_at::<T>(not, &format!("{path}.not"), level + 1, extent)?;
    }
    if extent.conditions == before {
        extent.conditions += 1;
    }
    if extent.conditions > MAX_CONDITIONS {
        let message = format!(
            "`filter` has more than {MAX_CONDITIONS} conditions. Use fewer, or send several requests."
        );
        return Err(Error::bad_input(message));
    }
    Ok(())
}

/// Whether a list with this filter may have both active items and items in the trash.
pub(super) fn includes_any_status<T: Listed>(filter: &T::Filter) -> bool {
    filter.shared().status.is_null()
}

/// The part of the title that all items of a list with this filter contain. `None` if it is too long, so that the conditions that
/// [`write`] writes find nothing.
pub(super) fn title_part(filter: &impl Filter) -> Option<&str> {
    filter.title_part().filter(|part| store::is_short(part))
}

/// Writes the conditions of a list's filter, except that titles contain the [`title_part`]. Items in the trash are listed only if the
/// filter says so.
pub(super) fn write<T: Listed>(filter: &T::Filter, conditions: &mut Conditions<'_>) {
    if filter.shared().status.is_undefined() {
        conditions.status(Some(ItemStatus::Active));
    }
    write_fields_except_title::<T>(filter, conditions);
    if title_part(filter).is_none() {
        write_title::<T>(filter, conditions);
    }
    write_combined::<T>(filter, conditions);
}

fn write_all<T: Listed>(filter: &T::Filter, conditions: &mut Conditions<'_>) {
    write_fields::<T>(filter, conditions);
    write_combined::<T>(filter, conditions);
}

fn write_combined<T: Listed>(filter: &T::Filter, conditions: &mut Conditions<'_>) {
    for one in filter.and() {
        write_all::<T>(one, conditions);
    }
    if let Some(filters) = filter.or() {
        conditions.any(filters, write_all::<T>);
    }
    if let Some(filter) = filter.not() {
        conditions.not(|conditions| write_all::<T>(filter, conditions));
    }
}

/// Writes the conditions of a filter's fields, without those of its combinations.
fn write_fields<T: Listed>(filter: &T::Filter, conditions: &mut Conditions<'_>) {
    write_fields_except_title::<T>(filter, conditions);
    write_title::<T>(filter, conditions);
}

fn write_title<T: Listed>(filter: &T::Filter, conditions: &mut Conditions<'_>) {
    conditions.title_contains(T::KIND, filter.title_part());
}

/// As [`write_fields`], without the condition on the title.
fn write_fields_except_title<T: Listed>(filter: &T::Filter, conditions: &mut Conditions<'_>) {
    let ItemFilter {
        status,
        ids,
        created_after,
        created_before,
        updated_after,
        updated_before,
    } = filter.shared();
    conditions.status(status.value().copied());
    T::conditions(filter, conditions);
    conditions
        .one_of("ids", "id", ids.as_deref())
        .at_or_after("created_at", *created_after)
        .before("created_at", *created_before)
        .at_or_after("updated_at", *updated_after)
        .before("updated_at", *updated_before);
}
