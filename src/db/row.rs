//! The rows of a statement: the SQL types of its columns are derived from the Rust types into which they are read.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    QueryResult,
    deserialize::{self, FromSqlRow},
    pg::Pg,
    sql_types::{self, Nullable},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, methods::LoadQuery};
use uuid::Uuid;

use super::{Statement, shared_reads::SharedRow};

/// A row that a [`Statement`](super::Statement) returns: one column, a tuple, or a struct that [`row!`] declares. `None` is
/// NULL; an optional row is NULL in all of its columns.
pub(crate) trait Row {
    /// The SQL type of the column, or a tuple of the columns' types.
    type Sql;
}

macro_rules! columns {
    ($($rust:ty => $sql:ident),+ $(,)?) => {$(
        impl Row for $rust {
            type Sql = sql_types::$sql;
        }
    )+};
}

columns! {
    bool => Bool,
    i16 => SmallInt,
    i32 => Integer,
    i64 => BigInt,
    f64 => Double,
    String => Text,
    Vec<u8> => Binary,
    Uuid => Uuid,
    DateTime<Utc> => Timestamptz,
    NaiveDate => Date,
    serde_json::Value => Jsonb,
}

impl<T: Row> Row for Option<T> {
    type Sql = Nullable<T::Sql>;
}

impl<T: Row<Sql: 'static>> Row for Vec<T> {
    type Sql = sql_types::Array<T::Sql>;
}

impl<T: Row> Row for Box<T> {
    type Sql = T::Sql;
}

macro_rules! tuples {
    ($(($($column:ident),+)),+ $(,)?) => {$(
        impl<$($column: Row),+> Row for ($($column,)+) {
            type Sql = ($($column::Sql,)+);
        }
    )+};
}

tuples! {
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
    (A, B, C, D, E),
    (A, B, C, D, E, F),
}

/// A [`Row`] that can be loaded. All rows can be, but generic code needs this bound, because the compiler does not infer it.
pub(crate) trait Load: Row + Send + Sync + Sized + 'static {
    /// Sends a statement and reads all its rows.
    fn load(
        statement: Statement<Self>,
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<Vec<Self>>> + Send;

    /// Reads a row of a shared connection.
    fn from_shared(row: &SharedRow) -> deserialize::Result<Self>;
}

impl<R> Load for R
where
    R: Row + FromSqlRow<R::Sql, Pg> + Send + Sync + 'static,
    for<'query> Statement<R>: LoadQuery<'query, AsyncPgConnection, R>,
{
    fn load(
        statement: Statement<R>,
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<Vec<R>>> + Send {
        RunQueryDsl::load(statement, conn)
    }

    fn from_shared(row: &SharedRow) -> deserialize::Result<Self> {
        FromSqlRow::build_from_row(row)
    }
}

/// A struct that is read from columns.
pub(crate) trait Columns: Row {
    /// The names of its columns, comma-separated, in the order of its fields, without the columns on demand.
    const COLUMNS: &'static str;
    /// The names of the columns on demand.
    const ON_DEMAND: &'static [&'static str];
}

/// Declares a struct that is read from columns with the names of its fields: the single list of these columns.
///
/// `from <table>` compares each column's type with `db::schema` at compile time. Columns `on demand` are expensive, so lists
/// read them only if they are selected. Their fields are optional and come last.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(from $table:ident)? {
            $(#[$first_meta:meta])* $first_vis:vis $first:ident: $first_ty:ty
            $(, $(#[$field_meta:meta])* $field_vis:vis $field:ident: $ty:ty)* $(,)?
            $(; on demand $($(#[$late_meta:meta])* $late_vis:vis $late:ident: $late_ty:ty),+ $(,)?)?
        }
    ) => {
        $(#[$meta])*
        #[derive(diesel::Queryable)]
        $vis struct $name {
            $(#[$first_meta])* $first_vis $first: $first_ty,
            $($(#[$field_meta])* $field_vis $field: $ty,)*
            $($($(#[$late_meta])* $late_vis $late: $late_ty,)+)?
        }

        impl $crate::db::Row for $name {
            type Sql = (
                <$first_ty as $crate::db::Row>::Sql,
                $(<$ty as $crate::db::Row>::Sql,)*
                $($(<$late_ty as $crate::db::Row>::Sql,)+)?
            );
        }

        impl $crate::db::Columns for $name {
            const COLUMNS: &'static str = concat!(stringify!($first) $(, ", ", stringify!($field))*);
            const ON_DEMAND: &'static [&'static str] = &[$($(stringify!($late)),+)?];
        }

        $crate::db::row::check_columns!($($table)?; $first: $first_ty $(, $field: $ty)*);
    };
}
pub(crate) use row;

/// Compiles only if the table has these columns, with the SQL types that the fields are read from.
macro_rules! check_columns {
    (; $($field:ident: $ty:ty),+) => {};
    ($table:ident; $($field:ident: $ty:ty),+) => {
        const _: fn() = || {
            fn has_type<Sql>(_: impl diesel::Expression<SqlType = Sql>) {}
            use $crate::db::schema::$table::dsl;
            $(has_type::<<$ty as $crate::db::Row>::Sql>(dsl::$field);)+
        };
    };
}
pub(crate) use check_columns;

/// Stores an enum as a small number: the single list of these numbers.
macro_rules! numbered {
    ($name:ident { $($variant:ident = $number:literal),+ $(,)? }) => {
        impl From<$name> for i16 {
            fn from(value: $name) -> i16 {
                match value {
                    $($name::$variant => $number),+
                }
            }
        }

        impl $name {
            /// The value with this number.
            pub(crate) fn of_number(number: i16) -> Option<Self> {
                match number {
                    $($number => Some($name::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<Option<$name>> for $crate::db::sql::Value {
            fn from(value: Option<$name>) -> Self {
                value.map(i16::from).into()
            }
        }

        impl $crate::db::Row for $name {
            type Sql = diesel::sql_types::SmallInt;
        }

        $crate::db::row::queryable!($name from SmallInt: i16 = $name::of_number);
    };
}
pub(crate) use numbered;

/// Stores an enum as text: the single list of these texts.
macro_rules! named {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The stored text.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text),+
                }
            }

            /// Parses the stored text.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some($name::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<$name> for $crate::db::sql::Value {
            fn from(value: $name) -> Self {
                value.as_str().into()
            }
        }

        impl From<Option<$name>> for $crate::db::sql::Value {
            fn from(value: Option<$name>) -> Self {
                value.map(|value| value.as_str().to_owned()).into()
            }
        }

        impl $crate::db::Row for $name {
            type Sql = diesel::sql_types::Text;
        }

        $crate::db::row::queryable!($name from Text: String = |text: String| $name::parse(&text));
    };
}
pub(crate) use named;

/// Reads a type from a column, by converting the type that diesel reads.
macro_rules! queryable {
    ($name:ident from $sql:ident: $stored:ty = $convert:expr) => {
        impl diesel::deserialize::FromSql<diesel::sql_types::$sql, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                let stored: $stored =
                    diesel::deserialize::FromSql::<diesel::sql_types::$sql, _>::from_sql(bytes)?;
                let convert: fn($stored) -> Option<$name> = $convert;
                convert(stored).ok_or_else(|| format!("unknown {}", stringify!($name)).into())
            }
        }

        impl diesel::Queryable<diesel::sql_types::$sql, diesel::pg::Pg> for $name {
            type Row = Self;

            fn build(row: Self) -> diesel::deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}
pub(crate) use queryable;
