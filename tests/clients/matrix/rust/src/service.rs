//! Sends operations to the service over HTTP.

use graphql_client::{GraphQLQuery, Response};

use super::Result;

/// A service, and the access token of its user.
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
}

impl Service {
    pub(crate) fn request<Q: GraphQLQuery>(
        &self,
        variables: Q::Variables,
    ) -> Result<minreq::Request> {
        let mut request = minreq::post(&self.url)
            .with_header("Content-Type", "application/json")
            .with_body(serde_json::to_vec(&Q::build_query(variables))?)
            .with_timeout(10);
        if let Some(token) = &self.token {
            request = request.with_header("Authorization", format!("Bearer {token}"));
        }
        Ok(request)
    }

    /// The status and the response, which may have errors.
    pub(crate) fn send<Q: GraphQLQuery>(
        &self,
        variables: Q::Variables,
    ) -> Result<(i32, Response<Q::ResponseData>)> {
        let accepted = "application/graphql-response+json, application/json;q=0.9";
        let response = self
            .request::<Q>(variables)?
            .with_header("Accept", accepted)
            .send()?;
        Ok((
            response.status_code as i32,
            serde_json::from_slice(response.as_bytes())?,
        ))
    }

    pub(crate) fn data<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Q::ResponseData> {
        let (_, response) = self.send::<Q>(variables)?;
        match response {
            Response {
                data: Some(data),
                errors: None,
                ..
            } => Ok(data),
            Response { errors, .. } => Err(format!("{errors:?}").into()),
        }
    }
}
