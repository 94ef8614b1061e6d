//! The SQL of an import: many users per statement.

use uuid::Uuid;

use super::ImportedUser;
use crate::{
    db::{Connection, Statement},
    error::Error,
};

/// Users whose id or address already exists are skipped.
const ADD: &str = "
    WITH person AS (
        INSERT INTO users
            (id, email, email_key, name, avatar_url, password_hash, email_verified, created_at, updated_at, last_sign_in_at)
        SELECT id, email, email_key, name, avatar_url, password_hash, coalesce(email_verified, false), created_at, created_at,
            last_sign_in_at
        FROM jsonb_to_recordset($1) AS newcomer (id uuid, email text, email_key text, name text, avatar_url text, password_hash text,
            email_verified boolean, created_at timestamptz, last_sign_in_at timestamptz)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO user_profiles (user_id) SELECT id FROM person RETURNING user_id";

/// Adds users with their profiles. Returns the ids of the added users.
pub(super) async fn add(conn: &mut Connection, users: &[ImportedUser]) -> Result<Vec<Uuid>, Error> {
    let users = serde_json::to_value(users).map_err(Error::internal)?;
    conn.rows(Statement::new(ADD).bind(users)).await
}
