//! A statement whose text is written by hand, typed by the row that it answers.
//!
//! Diesel prepares text that is built at run time anew at every call, and so it does every UPDATE of its query language.
//! A [`Statement`] is prepared once a connection: its text is a constant, or put together from a few constants.
//! **Nothing that a caller sent may ever stand in the text**: it would be an injection, and a statement in the cache for
//! each value. Values are bound.

use std::{borrow::Cow, marker::PhantomData, sync::Arc};

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use uuid::Uuid;

/// A row that a [`Statement`] answers: its columns' SQL types, in the order of the struct's fields.
pub(crate) trait Row {
    /// The SQL types of the columns, as a tuple.
    type Sql;
}

/// A row of one column is a tuple of one.
macro_rules! single_column {
    ($($rust:ty => $sql:ty),+ $(,)?) => {$(
        impl Row for ($rust,) {
            type Sql = ($sql,);
        }
    )+};
}

single_column! {
    bool => sql_types::Bool,
    i64 => sql_types::BigInt,
    String => sql_types::Text,
    Uuid => sql_types::Uuid,
    serde_json::Value => sql_types::Jsonb,
}

/// One SQL statement with its values, for the placeholders `$1`, `$2`, …; each may appear again.
///
/// A clone is cheap, so that a statement can be sent again.
pub(crate) struct Statement<R> {
    parts: Arc<Parts>,
    row: PhantomData<fn() -> R>,
}

#[derive(Clone)]
struct Parts {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

impl<R> Clone for Statement<R> {
    fn clone(&self) -> Self {
        Statement {
            parts: self.parts.clone(),
            row: PhantomData,
        }
    }
}

impl<R> Statement<R> {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        let parts = Parts {
            text: text.into(),
            values: Vec::with_capacity(8),
        };
        Statement {
            parts: Arc::new(parts),
            row: PhantomData,
        }
    }

    fn parts(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.parts)
    }

    /// Binds the next placeholder's value.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.parts().values.push(value.into());
        self
    }

    /// Binds the owner of what this statement writes. The log's triggers are told where the change comes from: the
    /// connection's [`Origin`] goes along.
    #[must_use]
    pub(crate) fn by(mut self, owner: impl Into<Uuid>) -> Self {
        self.parts().values.push(Value::Author(owner.into(), None));
        self
    }

    /// Says where the change comes from, if the statement names an author; answers whose items it changes.
    pub(super) fn comes_from(&mut self, origin: Option<&Arc<Origin>>) -> Option<Uuid> {
        let mut owner = None;
        for value in &mut self.parts().values {
            if let Value::Author(author, known) = value {
                *known = origin.cloned();
                owner = Some(*author);
            }
        }
        owner
    }

    /// Appends text, for a statement that is put together from constants.
    pub(crate) fn sql(&mut self, text: &str) -> &mut Self {
        self.parts().text.to_mut().push_str(text);
        self
    }

    /// Appends a placeholder and binds its value.
    pub(crate) fn value(&mut self, value: impl Into<Value>) -> &mut Self {
        let values = &mut self.parts().values;
        values.push(value.into());
        let placeholder = format!("${}", values.len());
        self.sql(&placeholder)
    }
}

impl<R: Row> Query for Statement<R> {
    type SqlType = R::Sql;
}

impl<R> QueryId for Statement<R> {
    type QueryId = ();
    /// The cache of prepared statements goes by the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<R> QueryFragment<Pg> for Statement<R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Parts { text, values } = &*self.parts;
        let mut rest: &str = text;
        // Diesel numbers values in the order in which they are bound: that of their first appearance.
        let mut bound: Vec<(usize, usize)> = Vec::with_capacity(values.len());
        let mut next = 1;
        while let Some((before, number, after)) = next_placeholder(rest) {
            out.push_sql(before);
            let value = number
                .checked_sub(1)
                .and_then(|index| values.get(index))
                .ok_or_else(|| misnumbered(text))?;
            if let Some((_, first)) = bound.iter().find(|(known, _)| *known == number) {
                out.push_sql(&value.again(*first));
            } else {
                value.push(&mut out)?;
                bound.push((number, next));
                next += value.width();
            }
            rest = after;
        }
        out.push_sql(rest);
        if bound.len() == values.len() {
            Ok(())
        } else {
            Err(misnumbered(text))
        }
    }
}

/// The text before the next `$n`, n, and the text behind it.
fn next_placeholder(text: &str) -> Option<(&str, usize, &str)> {
    let at = text.find('$')?;
    let digits = text[at + 1..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    let number = text[at + 1..at + 1 + digits].parse().ok()?;
    Some((&text[..at], number, &text[at + 1 + digits..]))
}

fn misnumbered(text: &str) -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError(
        format!("placeholders and values do not match: {text}").into(),
    )
}

/// Where a change comes from, as the log has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the caller, as text.
    pub address: Option<String>,
    /// What the caller's program calls itself.
    pub program: Option<String>,
}

impl Origin {
    const UNKNOWN: &Origin = &Origin {
        address: None,
        program: None,
    };
}

/// A bound value. `None` is NULL.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(Option<bool>),
    SmallInt(Option<i16>),
    SmallInts(Option<Vec<i16>>),
    Int(Option<i32>),
    Ints(Vec<i32>),
    BigInt(i64),
    Double(Option<f64>),
    Bools(Vec<bool>),
    Text(Option<String>),
    Texts(Vec<String>),
    Bytes(Vec<u8>),
    Uuid(Option<Uuid>),
    Uuids(Vec<Uuid>),
    Time(Option<DateTime<Utc>>),
    Json(Option<serde_json::Value>),
    /// The owner of what is written, and where the change comes from.
    Author(Uuid, Option<Arc<Origin>>),
}

impl Value {
    /// How many parameters it is.
    fn width(&self) -> usize {
        if matches!(self, Value::Author(..)) {
            3
        } else {
            1
        }
    }

    /// The SQL of a value that has been bound already, its first parameter being that one.
    fn again(&self, first: usize) -> String {
        match self {
            Value::Author(..) => format!("act_as(${first}, ${}, ${})", first + 1, first + 2),
            _ => format!("${first}"),
        }
    }

    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        use sql_types::{
            Array, BigInt, Bool, Bytea, Double, Integer, Jsonb, Nullable, SmallInt, Text,
            Timestamptz,
        };
        match self {
            Value::Bool(value) => out.push_bind_param::<Nullable<Bool>, _>(value),
            Value::SmallInt(value) => out.push_bind_param::<Nullable<SmallInt>, _>(value),
            Value::SmallInts(value) => out.push_bind_param::<Nullable<Array<SmallInt>>, _>(value),
            Value::Int(value) => out.push_bind_param::<Nullable<Integer>, _>(value),
            Value::Ints(value) => out.push_bind_param::<Array<Integer>, _>(value),
            Value::BigInt(value) => out.push_bind_param::<BigInt, _>(value),
            Value::Double(value) => out.push_bind_param::<Nullable<Double>, _>(value),
            Value::Text(value) => out.push_bind_param::<Nullable<Text>, _>(value),
            Value::Bools(value) => out.push_bind_param::<Array<Bool>, _>(value),
            Value::Texts(value) => out.push_bind_param::<Array<Text>, _>(value),
            Value::Bytes(value) => out.push_bind_param::<Bytea, _>(value),
            Value::Uuid(value) => out.push_bind_param::<Nullable<sql_types::Uuid>, _>(value),
            Value::Uuids(value) => out.push_bind_param::<Array<sql_types::Uuid>, _>(value),
            Value::Time(value) => out.push_bind_param::<Nullable<Timestamptz>, _>(value),
            Value::Json(value) => out.push_bind_param::<Nullable<Jsonb>, _>(value),
            Value::Author(owner, origin) => {
                let origin = origin.as_deref().unwrap_or(Origin::UNKNOWN);
                out.push_sql("act_as(");
                out.push_bind_param::<sql_types::Uuid, _>(owner)?;
                out.push_sql(", ");
                out.push_bind_param::<Nullable<Text>, _>(&origin.address)?;
                out.push_sql(", ");
                out.push_bind_param::<Nullable<Text>, _>(&origin.program)?;
                out.push_sql(")");
                Ok(())
            }
        }
    }
}

/// `From` for a type and for its `Option`, which is NULL when `None`.
macro_rules! nullable_value {
    ($($rust:ty => $variant:ident),+ $(,)?) => {$(
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

nullable_value! {
    bool => Bool,
    i16 => SmallInt,
    Vec<i16> => SmallInts,
    i32 => Int,
    f64 => Double,
    String => Text,
    Uuid => Uuid,
    DateTime<Utc> => Time,
    serde_json::Value => Json,
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(Some(value.to_owned()))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::BigInt(value)
    }
}

impl From<Vec<Uuid>> for Value {
    fn from(value: Vec<Uuid>) -> Self {
        Value::Uuids(value)
    }
}

impl From<Vec<bool>> for Value {
    fn from(value: Vec<bool>) -> Self {
        Value::Bools(value)
    }
}

impl From<Vec<String>> for Value {
    fn from(value: Vec<String>) -> Self {
        Value::Texts(value)
    }
}

impl From<Vec<i32>> for Value {
    fn from(value: Vec<i32>) -> Self {
        Value::Ints(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Value::Bytes(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(statement: &Statement<()>) -> QueryResult<String> {
        use diesel::query_builder::QueryBuilder;
        let mut builder = diesel::pg::PgQueryBuilder::default();
        statement.to_sql(&mut builder, &Pg)?;
        Ok(builder.finish())
    }

    #[test]
    fn placeholders_may_appear_again_and_in_any_order() {
        let statement = Statement::<()>::new("SELECT $2, $1, $1 || $2")
            .bind("a")
            .bind("b");
        assert_eq!(
            text_of(&statement).expect("well numbered"),
            "SELECT $1, $2, $2 || $1"
        );
    }

    #[test]
    fn an_author_brings_along_where_the_change_comes_from() {
        let statement = Statement::<()>::new("SELECT $2, $1, $3, $1")
            .by(Uuid::nil())
            .bind("a")
            .bind("b");
        assert_eq!(
            text_of(&statement).expect("well numbered"),
            "SELECT $1, act_as($2, $3, $4), $5, act_as($2, $3, $4)"
        );
    }

    #[test]
    fn placeholders_and_values_must_match() {
        assert!(text_of(&Statement::new("SELECT $2").bind("a")).is_err());
        assert!(text_of(&Statement::new("SELECT $1")).is_err());
        assert!(text_of(&Statement::new("SELECT 1").bind("a")).is_err());
    }
}
