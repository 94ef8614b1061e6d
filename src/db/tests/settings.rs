//! The settings of every session.

use std::time::Duration;

use diesel::{
    IntoSql, QueryableByName, sql_query,
    sql_types::{Integer, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::server;
use crate::db::connect::{SessionSettings, Target};

#[tokio::test]
async fn a_session_is_set_up_as_the_settings_say() {
    let target = Target::parse(&server().await.url()).unwrap();
    for (prepared_statements, kept) in [(true, "1"), (false, "0")] {
        let settings = SessionSettings {
            statement_timeout: Duration::from_millis(1500),
            prepared_statements,
            ..SessionSettings::default()
        };
        let mut connection = target.clone().with(settings).connect().await.unwrap();
        for (name, value) in [
            ("statement_timeout", "1500ms"),
            ("TimeZone", "UTC"),
            ("application_name", "snapnote"),
        ] {
            let setting = text(&mut connection, &format!("current_setting('{name}')")).await;
            assert_eq!(setting, value);
        }
        let one = diesel::select(1.into_sql::<Integer>()).get_result::<i32>(&mut connection);
        assert_eq!(one.await.unwrap(), 1);
        let count =
            "(SELECT count(*)::text FROM pg_prepared_statements WHERE statement = 'SELECT $1')";
        assert_eq!(text(&mut connection, count).await, kept);
    }
}

/// The value of an SQL expression.
async fn text(connection: &mut AsyncPgConnection, expression: &str) -> String {
    #[derive(QueryableByName)]
    struct Value {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let query = sql_query(format!("SELECT {expression} AS value"));
    let value = query.get_result::<Value>(connection).await;
    value.unwrap().value
}
