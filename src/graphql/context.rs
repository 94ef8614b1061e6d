//! What every resolver can ask of its request: who asks, and the services that answer.
//!
//! Resolvers take all of it from [`ContextExt`]; nothing else is looked up in the library's bag of data.

use async_graphql::Context;

use crate::{
    audit::Audit,
    auth::{Auth, Client, Viewer},
    changes::Live,
    db::{Connection, Database},
    error::Error,
    images::Images,
};

/// Who asks, and from where. One a request.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who is signed in; `None` for a visitor.
    pub viewer: Option<Viewer>,
    /// The caller's address and program.
    pub client: Client,
}

/// What lives as long as the process and answers all requests.
#[derive(Clone)]
pub struct Services {
    /// The database.
    pub database: Database,
    /// Sessions, tokens and passwords.
    pub auth: Auth,
    /// The audit log.
    pub audit: Audit,
    /// Pictures.
    pub images: Images,
    /// The change feed.
    pub live: Live,
}

/// The one way from a resolver to its request and its services.
pub(crate) trait ContextExt<'a> {
    /// Who is signed in; `None` for a visitor.
    fn asker(&self) -> &'a Asker;
    /// Where the data is.
    fn services(&self) -> &'a Services;

    /// Who is signed in.
    ///
    /// # Errors
    /// UNAUTHENTICATED for a visitor.
    fn viewer(&self) -> Result<&'a Viewer, Error> {
        let viewer = self.asker().viewer.as_ref();
        viewer.ok_or_else(|| Error::unauthenticated("Sign in first: this needs an access token."))
    }

    /// A connection to the database; what is written on it is logged as this caller's.
    ///
    /// # Errors
    /// UNAVAILABLE if there is none to be had.
    async fn connection(&self) -> Result<Connection, Error>
    where
        'a: 'a,
    {
        let conn = self.services().database.connection().await?;
        Ok(conn.for_changes_from(self.asker().client.origin()))
    }
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn asker(&self) -> &'a Asker {
        self.data_unchecked::<Asker>()
    }

    fn services(&self) -> &'a Services {
        self.data_unchecked::<Services>()
    }
}
