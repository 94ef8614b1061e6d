//! The values that statements bind: [`Value`], in diesel's encoding for the pool's connections and in tokio-postgres's for
//! shared ones.

use std::error::Error;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{QueryResult, pg::Pg, query_builder::AstPass};
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_util::bytes::BytesMut;
use uuid::Uuid;

use crate::db::Row;

type ToSqlError = Box<dyn Error + Sync + Send>;

const MIXED: &str = "the values of a column have different types, or are arrays";

/// Declares the types of bound values. [`Row`] maps each to diesel's SQL type; tokio-postgres's type and array type follow.
/// `None` is NULL.
macro_rules! values {
    (
        scalars { $($scalar:ident($scalar_rust:ty): $scalar_type:ident, $column_type:ident;)+ }
        arrays { $($array:ident($array_rust:ty): $array_type:ident;)+ }
    ) => {
        /// A bound value.
        #[derive(Debug, Clone)]
        pub(crate) enum Value {
            $($scalar(Option<$scalar_rust>),)+
            $($array(Option<$array_rust>),)+
            /// The values of one column in several rows.
            Column(Column),
            /// Values that make no column, because their types differ or they are arrays. Statements with it fail.
            Mixed,
        }

        /// An array whose elements may be NULL.
        #[derive(Debug, Clone)]
        pub(crate) enum Column {
            $($scalar(Vec<Option<$scalar_rust>>)),+
        }

        impl Value {
            /// An array of values of one type.
            pub(crate) fn column(first: Value, others: impl Iterator<Item = Value>) -> Value {
                match first {
                    $(Value::$scalar(first) => {
                        let others = others.map(|value| match value {
                            Value::$scalar(value) => Some(value),
                            _ => None,
                        });
                        let column: Option<_> = std::iter::once(Some(first)).chain(others).collect();
                        column.map_or(Value::Mixed, |values| Value::Column(Column::$scalar(values)))
                    })+
                    _ => Value::Mixed,
                }
            }

            /// Its type, which is sent when a statement is prepared.
            pub(crate) fn sql_type(&self) -> Type {
                match self {
                    $(Value::$scalar(_) => Type::$scalar_type,)+
                    $(Value::$array(_) => Type::$array_type,)+
                    $(Value::Column(Column::$scalar(_)) => Type::$column_type,)+
                    Value::Mixed => Type::UNKNOWN,
                }
            }

            pub(super) fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                match self {
                    $(Value::$scalar(value) => out.push_bind_param::<<Option<$scalar_rust> as Row>::Sql, _>(value),)+
                    $(Value::$array(value) => out.push_bind_param::<<Option<$array_rust> as Row>::Sql, _>(value),)+
                    $(Value::Column(Column::$scalar(values)) => out.push_bind_param::<<Vec<Option<$scalar_rust>> as Row>::Sql, _>(values),)+
                    Value::Mixed => Err(diesel::result::Error::QueryBuilderError(MIXED.into())),
                }
            }
        }

        impl ToSql for Value {
            fn to_sql(&self, sql_type: &Type, out: &mut BytesMut) -> Result<IsNull, ToSqlError> {
                match self {
                    $(Value::$scalar(value) => value.to_sql_checked(sql_type, out),)+
                    $(Value::$array(value) => value.to_sql_checked(sql_type, out),)+
                    $(Value::Column(Column::$scalar(values)) => values.to_sql_checked(sql_type, out),)+
                    Value::Mixed => Err(MIXED.into()),
                }
            }

            fn accepts(_: &Type) -> bool {
                // Depends on the variant, so `to_sql` checks it.
                true
            }

            fn to_sql_checked(&self, sql_type: &Type, out: &mut BytesMut) -> Result<IsNull, ToSqlError> {
                self.to_sql(sql_type, out)
            }
        }

        values!(from $($scalar($scalar_rust),)+ $($array($array_rust),)+);
    };
    (from $($variant:ident($rust:ty),)+) => {$(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Self {
                Value::$variant(Some(value))
            }
        }

        impl From<Option<$rust>> for Value {
            fn from(value: Option<$rust>) -> Self {
                Value::$variant(value)
            }
        }
    )+};
}

values! {
    scalars {
        Bool(bool): BOOL, BOOL_ARRAY;
        SmallInt(i16): INT2, INT2_ARRAY;
        Int(i32): INT4, INT4_ARRAY;
        BigInt(i64): INT8, INT8_ARRAY;
        Double(f64): FLOAT8, FLOAT8_ARRAY;
        Text(String): TEXT, TEXT_ARRAY;
        Bytes(Vec<u8>): BYTEA, BYTEA_ARRAY;
        Uuid(Uuid): UUID, UUID_ARRAY;
        Time(DateTime<Utc>): TIMESTAMPTZ, TIMESTAMPTZ_ARRAY;
        Date(NaiveDate): DATE, DATE_ARRAY;
        Json(serde_json::Value): JSONB, JSONB_ARRAY;
    }
    arrays {
        Bools(Vec<bool>): BOOL_ARRAY;
        SmallInts(Vec<i16>): INT2_ARRAY;
        Ints(Vec<i32>): INT4_ARRAY;
        Texts(Vec<String>): TEXT_ARRAY;
        Uuids(Vec<Uuid>): UUID_ARRAY;
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(Some(value.to_owned()))
    }
}
