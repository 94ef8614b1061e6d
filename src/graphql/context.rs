//! What a resolver can use: the caller of its request, and the services.
//!
//! Resolvers get both through `ContextExt`. They do not read the library's untyped request data themselves.

use async_graphql::Context;

use crate::{
    audit::Audit,
    auth::{Auth, Client, Viewer},
    changes::Live,
    db::{Connection, Database, share::Holder},
    error::Error,
    images::Images,
    items::Quotas,
    search::SearchIndexes,
};

/// The sender of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, as far as the credentials tell.
    pub identity: Identity,
    /// The address and program that the request came from.
    pub client: Client,
}

/// What the credentials of a request tell about its sender.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The request has no credentials.
    Anonymous,
    /// The credentials are not accepted. Fields that need a user fail with this error; all others work as usual.
    Rejected(Error),
    /// A signed-in user.
    User(Viewer),
}

impl Caller {
    /// The signed-in user, if there is one.
    pub(crate) fn user(&self) -> Option<&Viewer> {
        match &self.identity {
            Identity::User(viewer) => Some(viewer),
            Identity::Anonymous | Identity::Rejected(_) => None,
        }
    }

    /// Whose work the request is.
    pub(crate) fn holder(&self) -> Option<Holder> {
        self.client.holder(self.user())
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// UNAUTHENTICATED for an anonymous caller. The reason if the credentials are not accepted.
    pub(crate) fn viewer(&self) -> Result<&Viewer, Error> {
        match &self.identity {
            Identity::User(viewer) => Ok(viewer),
            Identity::Rejected(reason) => Err(reason.clone()),
            Identity::Anonymous => Err(Error::unauthenticated(
                "This requires a signed-in user. Sign in, and send the access token as `Authorization: Bearer <token>`.",
            )),
        }
    }
}

/// The services that all requests share. They live as long as the process.
#[derive(Clone)]
pub struct Services {
    /// The database.
    pub database: Database,
    /// Where items are read: the database, or its replica for a query that may use it.
    pub reads: Database,
    /// Sessions, tokens and passwords.
    pub auth: Auth,
    /// The audit log.
    pub audit: Audit,
    /// Images of documents.
    pub images: Images,
    /// How much each user may have.
    pub quotas: Quotas,
    /// The change feed.
    pub live: Live,
    /// The indexes of the search.
    pub search: SearchIndexes,
}

/// Access from a resolver to its caller and to the services.
pub(crate) trait ContextExt<'a> {
    /// The sender of the request, signed in or anonymous.
    fn caller(&self) -> &'a Caller;
    /// The shared services.
    fn services(&self) -> &'a Services;

    /// The signed-in user.
    ///
    /// # Errors
    /// As [`Caller::viewer`].
    fn viewer(&self) -> Result<&'a Viewer, Error> {
        self.caller().viewer()
    }

    /// A connection for reading items.
    ///
    /// # Errors
    /// UNAVAILABLE if no connection is available.
    async fn reading_connection(&self) -> Result<Connection, Error>
    where
        'a: 'a,
    {
        self.services().reads.connection().await
    }

    /// A database connection. Changes made on it are logged with the client's address and program.
    ///
    /// # Errors
    /// UNAVAILABLE if no connection is available.
    async fn connection(&self) -> Result<Connection, Error>
    where
        'a: 'a,
    {
        let conn = self.services().database.connection().await?;
        Ok(conn.for_changes_from(self.caller().client.origin()))
    }
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn caller(&self) -> &'a Caller {
        self.data_unchecked::<Caller>()
    }

    fn services(&self) -> &'a Services {
        self.data_unchecked::<Services>()
    }
}
