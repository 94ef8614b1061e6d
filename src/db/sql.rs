//! A statement with handwritten text, typed by the [`Row`] that it returns.
//!
//! Diesel prepares text that is built at run time, and every UPDATE of its query language, again for every call. A
//! [`Statement`] is prepared once per connection, because its text is a constant or is composed of constants.
//! **The text never contains anything that a caller sent**: that would allow injection, and cache one statement per value.
//! Values are bound.
//!
//! # Origin of a change
//! The triggers of the change log record the address and the program of the caller. A statement that changes logged rows
//! calls `set_origin($address, $program)` for this transaction, before it changes anything: [`Statement::write`]. A setting of
//! the connection would leak behind a pooler in transaction mode, and a transaction around every statement would cost two
//! round trips.

mod value;

use std::{
    borrow::Cow,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use derive_where::derive_where;
use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use uuid::Uuid;

pub(crate) use self::value::Value;
use super::{Row, SharedText};

/// The condition of each part of a statement that changes logged rows. As a subquery it runs once, before the first row is read.
pub(crate) const SET_ORIGIN: &str = "(SELECT set_origin($address, $program))";

/// SQL text with the values of its placeholders `$1`, `$2`, …; each may appear again.
#[derive(Debug, Clone)]
pub(crate) struct SqlText {
    text: Text,
    values: Vec<Value>,
}

/// The text of a statement.
#[derive(Debug, Clone)]
enum Text {
    Own(Cow<'static, str>),
    Shared(SharedText),
}

impl Text {
    fn sql(&self) -> &str {
        match self {
            Text::Own(text) => text,
            Text::Shared(text) => text.sql(),
        }
    }
}

impl SqlText {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        SqlText::of(Text::Own(text.into()))
    }

    fn of(text: Text) -> Self {
        SqlText {
            text,
            values: Vec::with_capacity(8),
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.text.sql()
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Appends text, for a statement that is composed of constants.
    pub(crate) fn sql(&mut self, text: &str) -> &mut Self {
        match &mut self.text {
            Text::Own(own) => own.to_mut().push_str(text),
            Text::Shared(shared) => {
                self.text = Text::Own(format!("{}{text}", shared.sql()).into());
            }
        }
        self
    }

    /// Binds the next placeholder's value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self
    }

    /// Appends a placeholder and binds its value.
    pub(crate) fn value(&mut self, value: impl Into<Value>) -> &mut Self {
        let placeholder = self.placeholder(value);
        self.sql(&placeholder)
    }

    /// Binds a value and returns its placeholder, for text that is appended later.
    pub(crate) fn placeholder(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }
}

/// One SQL statement: a text whose rows have the type `R`.
///
/// A clone is cheap, so that a statement can be sent again.
#[derive_where(Clone)]
pub(crate) struct Statement<R> {
    parts: Arc<Parts>,
    row: PhantomData<fn() -> R>,
}

#[derive(Clone)]
struct Parts {
    text: SqlText,
    /// The owner of the items that it changes.
    writer: Option<Uuid>,
    origin: ChangesFrom,
}

/// The origin of a statement's changes.
#[derive(Clone)]
enum ChangesFrom {
    Unknown,
    /// The values of `$address` and `$program`.
    Known(Arc<Origin>),
    /// What the transaction has set. The text does not name it.
    Transaction,
}

impl<R> From<SqlText> for Statement<R> {
    fn from(text: SqlText) -> Self {
        let parts = Parts {
            text,
            writer: None,
            origin: ChangesFrom::Unknown,
        };
        Statement {
            parts: Arc::new(parts),
            row: PhantomData,
        }
    }
}

impl<R> Deref for Statement<R> {
    type Target = SqlText;

    fn deref(&self) -> &SqlText {
        &self.parts.text
    }
}

impl<R> DerefMut for Statement<R> {
    fn deref_mut(&mut self) -> &mut SqlText {
        &mut self.parts().text
    }
}

impl<R> Statement<R> {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        SqlText::new(text).into()
    }

    /// A read that an index bounds. A [`Reader`](super::Reader) may send it on a shared connection.
    pub(crate) fn look_up(text: &SharedText) -> Self {
        SqlText::of(Text::Shared(text.clone())).into()
    }

    fn parts(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.parts)
    }

    /// Binds the next placeholder's value.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// A statement that changes items of `owner`, bound as `$1`. Each part of the text that changes logged rows has the
    /// condition [`SET_ORIGIN`].
    pub(crate) fn write(text: impl Into<Cow<'static, str>>, owner: impl Into<Uuid>) -> Self {
        let owner = owner.into();
        let mut statement = Statement::new(text).bind(owner);
        statement.parts().writer = Some(owner);
        statement
    }

    /// The text and the values, if it can be sent on a shared connection.
    pub(super) fn shared(&self) -> Option<(&SharedText, &[Value])> {
        let SqlText { text, values } = &self.parts.text;
        match text {
            Text::Shared(text) => Some((text, values)),
            Text::Own(_) => None,
        }
    }

    /// Sets the origin of the changes. Returns the owner of the changed items, if the statement writes.
    pub(super) fn comes_from(&mut self, origin: Option<&Arc<Origin>>) -> Option<Uuid> {
        let writer = self.parts.writer?;
        if let Some(origin) = origin {
            self.parts().origin = ChangesFrom::Known(origin.clone());
        }
        Some(writer)
    }

    /// Leaves the origin of the changes to the transaction, which has set it. Returns the owner of the changed items, if the statement
    /// writes.
    pub(super) fn comes_from_transaction(&mut self) -> Option<Uuid> {
        let writer = self.parts.writer?;
        let text = self.text().replace(SET_ORIGIN, "true");
        let parts = self.parts();
        parts.text.text = Text::Own(text.into());
        parts.origin = ChangesFrom::Transaction;
        Some(writer)
    }

    /// Whether the statement changes logged rows.
    pub(super) fn writes(&self) -> bool {
        self.parts.writer.is_some()
    }
}

impl<R: Row> Query for Statement<R> {
    type SqlType = R::Sql;
}

impl<R> QueryId for Statement<R> {
    type QueryId = ();
    /// The text is the key in the cache of prepared statements.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<R> QueryFragment<Pg> for Statement<R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let SqlText { text, values } = &self.parts.text;
        let text = text.sql();
        let origin = match &self.parts.origin {
            ChangesFrom::Known(origin) => origin,
            ChangesFrom::Unknown | ChangesFrom::Transaction => Origin::UNKNOWN,
        };
        let mut rest: &str = text;
        // Diesel numbers values in the order in which they are bound: that of their first appearance.
        let mut bound: Vec<Placeholder> = Vec::with_capacity(values.len());
        while let Some((before, placeholder, after)) = next_placeholder(rest) {
            out.push_sql(before);
            rest = after;
            if let Some(first) = bound.iter().position(|known| *known == placeholder) {
                out.push_sql(&format!("${}", first + 1));
                continue;
            }
            bound.push(placeholder);
            match placeholder {
                Placeholder::Address => out.push_bind_param::<NullableText, _>(&origin.address)?,
                Placeholder::Program => out.push_bind_param::<NullableText, _>(&origin.program)?,
                Placeholder::Value(number) => {
                    let value = number.checked_sub(1).and_then(|index| values.get(index));
                    value.ok_or_else(|| misnumbered(text))?.push(&mut out)?;
                }
            }
        }
        out.push_sql(rest);
        let numbered = |placeholder: &&Placeholder| matches!(placeholder, Placeholder::Value(_));
        // A statement that writes names its origin, and no other one does.
        let origins = bound.len() - bound.iter().filter(numbered).count();
        let names_origin = !matches!(self.parts.origin, ChangesFrom::Transaction);
        let expected = if self.writes() && names_origin { 2 } else { 0 };
        if bound.len() - origins == values.len() && origins == expected {
            Ok(())
        } else {
            Err(misnumbered(text))
        }
    }
}

type NullableText = sql_types::Nullable<sql_types::Text>;

/// A placeholder in a statement's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    /// `$1`, `$2`, …
    Value(usize),
    /// `$address`: the caller's address.
    Address,
    /// `$program`: the name of the caller's program.
    Program,
}

/// The text before the next placeholder, the placeholder, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, Placeholder, &str)> {
    let (before, rest) = text.split_once('$')?;
    for (name, placeholder) in [
        ("address", Placeholder::Address),
        ("program", Placeholder::Program),
    ] {
        if let Some(after) = rest.strip_prefix(name) {
            return Some((before, placeholder, after));
        }
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(digits);
    Some((before, Placeholder::Value(number.parse().ok()?), after))
}

fn misnumbered(text: &str) -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError(
        format!("placeholders and values do not match: {text}").into(),
    )
}

/// The origin of a change, as the change log records it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the caller, as text.
    pub address: Option<String>,
    /// The name of the caller's program.
    pub program: Option<String>,
}

impl Origin {
    const UNKNOWN: &Origin = &Origin {
        address: None,
        program: None,
    };
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
    fn a_write_binds_its_origin_where_the_text_names_it() {
        let text = "UPDATE a SET b = $2 WHERE (SELECT set_origin($address, $program)) AND c = $1";
        let statement = Statement::<()>::write(text, Uuid::nil()).bind("b");
        assert_eq!(
            text_of(&statement).expect("well numbered"),
            "UPDATE a SET b = $1 WHERE (SELECT set_origin($2, $3)) AND c = $4"
        );
    }

    #[test]
    fn a_write_can_leave_its_origin_to_the_transaction() {
        let text = "UPDATE a SET b = $2 WHERE (SELECT set_origin($address, $program)) AND c = $1";
        let mut statement = Statement::<()>::write(text, Uuid::nil()).bind("b");
        assert_eq!(statement.comes_from_transaction(), Some(Uuid::nil()));
        assert_eq!(
            text_of(&statement).expect("well numbered"),
            "UPDATE a SET b = $1 WHERE true AND c = $2"
        );
    }

    #[test]
    fn placeholders_and_values_must_match() {
        assert!(text_of(&Statement::new("SELECT $2").bind("a")).is_err());
        assert!(text_of(&Statement::new("SELECT $1")).is_err());
        assert!(text_of(&Statement::new("SELECT 1").bind("a")).is_err());
        assert!(text_of(&Statement::write("DELETE FROM a WHERE b = $1", Uuid::nil())).is_err());
        assert!(text_of(&Statement::new("SELECT set_origin($address, $program)")).is_err());
    }

    #[test]
    fn the_values_of_a_column_have_one_type() {
        let column = |first: Value, second: Value| {
            let column = Value::column(first, std::iter::once(second));
            text_of(&Statement::<()>::new("SELECT $1").bind(column))
        };
        assert!(column("a".into(), None::<String>.into()).is_ok());
        assert!(column("a".into(), 1.into()).is_err());
        assert!(column(vec![1].into(), vec![2].into()).is_err());
    }
}
