//! Requests to S3: each is a span, and passes on the trace that it belongs to.
//!
//! The span has the method, the host, the path and the status. It does not have the query, which can contain signatures. `traceparent` is
//! not signed, so the store accepts it.

use std::{future::Future, pin::Pin};

use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
        ReqwestConnector,
    },
};
use tracing::{Instrument, Span, field};

use crate::telemetry::work;

/// Connects as `object_store` does by default.
#[derive(Debug)]
pub(super) struct Traced;

impl HttpConnector for Traced {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Requests { inner }))
    }
}

#[derive(Debug)]
struct Requests {
    inner: HttpClient,
}

// Written as the library's `#[async_trait]` declares it.
impl HttpService for Requests {
    fn call<'service, 'call>(
        &'service self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'service: 'call,
        Self: 'call,
    {
        let span = span(&request);
        Box::pin(self.send(request).instrument(span))
    }
}

fn span(request: &HttpRequest) -> Span {
    tracing::trace_span!(
        "http.client",
        otel.kind = "client",
        otel.name = format!("{} S3", request.method()),
        otel.status_code = field::Empty,
        http.request.method = request.method().as_str(),
        server.address = request.uri().host(),
        url.path = request.uri().path(),
        http.response.status_code = field::Empty,
    )
}

impl Requests {
    /// Sends a request in the current span.
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(trace) = work::traceparent().and_then(|trace| trace.parse().ok()) {
            request.headers_mut().insert("traceparent", trace);
        }
        let response = self.inner.execute(request).await;
        match &response {
            Ok(response) => {
                let status = response.status().as_u16();
                Span::current().record("http.response.status_code", status);
            }
            Err(_) => _ = Span::current().record("otel.status_code", "ERROR"),
        }
        response
    }
}
