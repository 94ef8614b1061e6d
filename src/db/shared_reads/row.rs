//! Reads diesel's types from a row of tokio-postgres, so that shared connections return the same rows as the pool.
//!
//! diesel-async has the same adapter, but does not export it.

use std::{error::Error, num::NonZeroU32, ops::Range};

use diesel::{
    pg::{Pg, PgValue},
    row::{Field, PartialRow, Row, RowIndex, RowSealed},
};
use tokio_postgres::types::{FromSql, Type};

/// A row of a shared connection.
pub(crate) struct SharedRow(pub(in crate::db) tokio_postgres::Row);

impl RowSealed for SharedRow {}

impl<'a> Row<'a, Pg> for SharedRow {
    type Field<'f>
        = SharedField<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.0.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<SharedField<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        let column = self.0.columns().get(index)?;
        let Raw(bytes) = self.0.try_get(index).ok()?;
        Some(SharedField {
            name: column.name(),
            bytes,
            oid: NonZeroU32::new(column.type_().oid())?,
        })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for SharedRow {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.0.len()).then_some(index)
    }
}

impl<'a> RowIndex<&'a str> for SharedRow {
    fn idx(&self, name: &'a str) -> Option<usize> {
        let columns = self.0.columns();
        columns.iter().position(|column| column.name() == name)
    }
}

/// A column's value in a row.
pub(crate) struct SharedField<'a> {
    name: &'a str,
    /// `None`: NULL.
    bytes: Option<&'a [u8]>,
    oid: NonZeroU32,
}

impl<'a> Field<'a, Pg> for SharedField<'a> {
    fn field_name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        Some(PgValue::new(self.bytes?, &self.oid))
    }
}

/// The bytes of a value of any type.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(Some(bytes)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
