//! What differs on a sharded database (`db::sharding`): settings of a transaction.

use std::time::Instant;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::try_join_all;

use super::{Connection, from_database, sharding};
use crate::{db::Statement, error::Error};

impl Connection {
    /// Whether Citus distributes the tables. Statements that need another text then ask this.
    pub(crate) fn is_sharded(&self) -> bool {
        self.database.target().is_sharded()
    }

    /// Sets settings until the transaction ends. The names are constants.
    pub(crate) async fn set_local(
        &mut self,
        settings: &[(&'static str, String)],
    ) -> Result<(), Error> {
        if self.is_sharded() {
            let set = settings.iter();
            let set = set.map(|(name, value)| sharding::set_local(name, value));
            let set: Vec<String> = set.collect();
            return self
                .pipelined("SET LOCAL", &set)
                .await
                .map_err(from_database);
        }
        let mut statement = Statement::<()>::new("SELECT ");
        for (place, (name, value)) in settings.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            statement.sql(&format!("{comma}set_config('{name}', "));
            statement.value(value.clone()).sql(", true)");
        }
        self.execute(statement).await?;
        Ok(())
    }

    /// Sends SQL texts that return no rows, without waiting in between. `name`: what metrics and logs show.
    pub(super) async fn pipelined(&mut self, name: &str, texts: &[String]) -> QueryResult<()> {
        self.sent = Some(Instant::now());
        let sent = self.database.metrics().clone().batch(name);
        let connection: &AsyncPgConnection = self.raw();
        let sends = texts.iter().map(|text| {
            let mut connection = connection;
            async move { connection.batch_execute(text).await }
        });
        let executed = try_join_all(sends).await.map(|_| ());
        sent.ended(&executed);
        self.ended(executed)
    }
}
