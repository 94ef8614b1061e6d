//! A client of the service: HTTP, GraphQL, and any mutation by its name.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Answer, TestApp, read_answer};

/// A client, signed in or not.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
    /// Headers of each request.
    headers: Vec<(&'static str, String)>,
}

/// The document of a mutation: `mutation($input: SignInInput!) { signIn(input: $input) { … userErrors { … } } }`.
pub(crate) fn mutation(name: &str, selection: &str) -> String {
    let (declared, given) = match input_type(name) {
        Some(input) => (format!("($input: {input})"), "(input: $input)"),
        None => (String::new(), ""),
    };
    format!("mutation{declared} {{ {name}{given} {{ {selection} userErrors {{ code field }} }} }}")
}

/// The type of a mutation's input according to the schema; some have no input.
fn input_type(mutation: &str) -> Option<&'static str> {
    let schema = include_str!("../../../schema.graphql");
    let (_, fields) = schema.split_once("type Mutation {").unwrap();
    let (_, field) = fields.split_once(&format!("\n\t{mutation}("))?;
    let (arguments, _) = field.split_once("): ").unwrap();
    let (_, input) = arguments.split_once("input: ").unwrap();
    Some(input.trim_end())
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client {
            address,
            token: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn with_token(&self, token: impl Into<String>) -> Client {
        Client {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// The same client, as it calls another process.
    pub(crate) fn at(&self, app: &TestApp) -> Client {
        self.at_address(app.address)
    }

    pub(crate) fn at_address(&self, address: SocketAddr) -> Client {
        Client {
            address,
            ..self.clone()
        }
    }

    /// The same client behind a proxy that forwards for this address.
    pub(crate) fn from(&self, address: &str) -> Client {
        self.with_header("x-forwarded-for", address)
    }

    /// The same client, as this program.
    pub(crate) fn using(&self, program: &str) -> Client {
        self.with_header("user-agent", program)
    }

    pub(crate) fn with_request_id(&self, id: &str) -> Client {
        self.with_header("x-request-id", id)
    }

    pub(crate) fn with_header(&self, name: &'static str, value: &str) -> Client {
        let mut client = self.clone();
        client.headers.push((name, value.to_owned()));
        client
    }

    /// The response to a GraphQL request.
    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> Value {
        self.post(query, variables).await.json()
    }

    /// The `data` of a GraphQL response that must have no errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.graphql(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// As [`Client::data`], without variables.
    pub(crate) async fn query(&self, query: &str) -> Value {
        self.data(query, json!({})).await
    }

    /// The `code` of the first error of a request that must have one.
    pub(crate) async fn error_code(&self, query: &str, variables: Value) -> String {
        let answer = self.graphql(query, variables).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Asserts that a paginated list rejects invalid sizes and cursors, and these cursors.
    pub(crate) async fn rejects_pages(&self, query: &str, cursors: &[&str]) {
        let sizes = [0, -1, 101].map(|size| json!({ "first": size }));
        let cursors = ["", "nonsense", "\0"].iter().chain(cursors);
        let cursors = cursors.map(|cursor| json!({ "after": cursor }));
        for variables in sizes.into_iter().chain(cursors) {
            let code = self.error_code(query, variables.clone()).await;
            assert_eq!(code, "BAD_USER_INPUT", "{variables}");
        }
    }

    /// The response to a mutation, as it came.
    pub(crate) async fn post_mutation(&self, name: &str, input: Value, selection: &str) -> Answer {
        let query = mutation(name, selection);
        self.post(&query, json!({ "input": input })).await
    }

    /// The payload of a mutation, which may have user errors: the selected fields and `userErrors { code field }`.
    pub(crate) async fn try_mutate(&self, name: &str, input: Value, selection: &str) -> Value {
        let mut answer = self.post_mutation(name, input, selection).await.json();
        assert!(answer.get("errors").is_none(), "{name}: {answer}");
        answer["data"][name].take()
    }

    /// The payload of a mutation that must succeed.
    pub(crate) async fn mutate(&self, name: &str, input: Value, selection: &str) -> Value {
        let payload = self.try_mutate(name, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}: {payload}");
        payload
    }

    /// The `code` of the error of a mutation that fails as a request.
    pub(crate) async fn mutation_error(&self, name: &str, input: Value) -> String {
        let answer = self.post_mutation(name, input, "").await.json();
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{name}: {answer}"))
            .to_owned()
    }

    /// A GraphQL request by POST.
    pub(crate) async fn post(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/graphql-response+json"),
        ];
        self.post_body(&headers, body).await
    }

    /// Any body by POST to the GraphQL endpoint.
    pub(crate) async fn post_body(
        &self,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.http("POST", "/graphql", headers, body.as_ref()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.http("GET", path, &[], b"").await
    }

    /// Any HTTP request. The client's token and headers are sent unless `headers` has others.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = self.head(method, path, headers);
        head.push_str("connection: close\r\n");
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that rejects a request by its head may close the connection before it has read the body. The status
        // of a request without a response is 0.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
        let _ = stream.write_all(body).await;
        read_answer(&mut stream).await
    }

    /// A GraphQL request as it is sent over a connection that stays open.
    pub(crate) fn request(&self, query: &str, variables: &Value) -> String {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let head = self.head("POST", "/graphql", &[("content-type", "application/json")]);
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    }

    /// The request line and the headers, without those that tell the body's length and the connection's end.
    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        let given = |name: &str| {
            headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own
            .filter(|(name, _)| !given(name))
            .chain(headers.iter().copied())
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(token) = &self.token
            && !given("authorization")
        {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        head
    }
}
