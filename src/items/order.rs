//! Orders of lists of items, as callers give them.

use std::{fmt::Debug, hash::Hash};

use async_graphql::{Enum, InputType};

use crate::{
    db::keyset::{MAX_KEYS, Order, Sorted},
    error::Error,
};

/// The direction of an order.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderDirection {
    /// Ascending: smallest, oldest or alphabetically first items first.
    Asc,
    /// Descending: largest, newest or alphabetically last items first.
    Desc,
}

/// One element of a noun's `orderBy` argument.
pub(crate) trait OrderBy<T>:
    InputType + Debug + Copy + PartialEq + Eq + Hash + Default
{
    /// The key and the direction.
    fn sorted(self) -> Sorted<T>;
}

/// Checks an `orderBy` argument. If it has no elements, returns the default order.
///
/// # Errors
/// BAD_USER_INPUT if it has too many elements, or a field twice.
pub(super) fn checked<T, O: OrderBy<T>>(order_by: Vec<O>) -> Result<Vec<O>, Error> {
    if order_by.is_empty() {
        return Ok(vec![O::default()]);
    }
    let number = order_by.len();
    if number > MAX_KEYS {
        let message = format!("`orderBy` must contain at most {MAX_KEYS} fields; got {number}.");
        return Err(Error::bad_input(message));
    }
    let names: Vec<&str> = order_by.iter().map(|one| one.sorted().key.name).collect();
    let repeated = (1..number).find(|&at| names[..at].contains(&names[at]));
    if let Some(at) = repeated {
        let message = format!("`orderBy[{at}].field` repeats a field. Name each field only once.");
        return Err(Error::bad_input(message));
    }
    Ok(order_by)
}

/// The order in which these elements sort a list.
pub(super) fn order_by<T, O: OrderBy<T>>(order_by: &[O]) -> Order<T> {
    Order::by_all(order_by.iter().map(|one| one.sorted()))
}

/// Declares the elements of a noun's `orderBy` argument: the fields that its lists can be sorted by, each with its default
/// direction and its key. The first field is the default. Keys may depend on the direction.
macro_rules! order {
    (
        $(#[$doc:meta])* $Order:ident { $(#[$direction_doc:meta])* direction }
        $(#[$field_doc:meta])* $Field:ident for $Row:ident, |$descending:ident| {
            $(#[$first_doc:meta])* $First:ident: $first_direction:ident => $first_key:expr
            $(, $(#[$variant_doc:meta])* $Variant:ident: $direction:ident => $key:expr)* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(async_graphql::InputObject, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $Order {
            /// What to sort by.
            pub field: $Field,
            $(#[$direction_doc])*
            pub direction: Option<$crate::items::OrderDirection>,
        }

        $(#[$field_doc])*
        #[derive(async_graphql::Enum, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $Field {
            $(#[$first_doc])*
            #[default]
            $First,
            $($(#[$variant_doc])* $Variant,)*
        }

        impl $crate::items::OrderBy<$Row> for $Order {
            fn sorted(self) -> $crate::db::keyset::Sorted<$Row> {
                use $crate::items::OrderDirection;
                let direction = self.direction.unwrap_or(match self.field {
                    $Field::$First => OrderDirection::$first_direction,
                    $($Field::$Variant => OrderDirection::$direction,)*
                });
                let $descending = direction == OrderDirection::Desc;
                let key: $crate::db::keyset::SortKey<$Row> = match self.field {
                    $Field::$First => $first_key,
                    $($Field::$Variant => $key,)*
                };
                $crate::db::keyset::Sorted {
                    key,
                    descending: $descending,
                }
            }
        }
    };
}
pub(crate) use order;
