//! The measured requests: the six of the side-by-side benchmark, by the names that `benches/http` uses.

/// A GraphQL request, and what proves that its response is complete.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) query: &'static str,
    /// JSON.
    pub(crate) variables: &'static str,
    /// A field that the response contains so often.
    pub(crate) expected: (&'static str, usize),
}

/// `createTask` comes last, because it changes the data of the others.
pub(crate) const REQUESTS: [Measured; 6] = [
    Measured {
        name: "me",
        query: "query Me { me { id email name createdAt } }",
        variables: "{}",
        expected: ("email", 1),
    },
    Measured {
        name: "courses",
        query: "query Courses { courses(first: 20, orderBy: {field: CREATED_AT}) {
            nodes { id name description color icon createdAt documentCount } } }",
        variables: "{}",
        expected: ("documentCount", 20),
    },
    Measured {
        name: "tree",
        query: "query Tree { courses(first: 10, orderBy: {field: CREATED_AT}) {
            nodes { id name documents(first: 10) { nodes { id title excerpt } } } } }",
        variables: "{}",
        expected: ("excerpt", 100),
    },
    Measured {
        name: "tasks",
        query: "query Open { tasks(filter: {completed: false}, first: 50) {
            totalCount pageInfo { hasNextPage endCursor }
            edges { cursor node { id title description completed dueAt createdAt } } } }",
        variables: "{}",
        expected: ("cursor", 50),
    },
    Measured {
        name: "search",
        query: "query Search($q: String!) { search(query: $q, types: [DOCUMENT], first: 20) {
            nodes { ... on Document { id title excerpt } } } }",
        variables: r#"{ "q": "entropy" }"#,
        expected: ("excerpt", 20),
    },
    Measured {
        name: "createTask",
        query: "mutation Create($input: CreateTaskInput!) { createTask(input: $input) {
            task { id title description completed dueAt createdAt } userErrors { code } } }",
        variables: r#"{ "input": { "title": "Measured", "description": "proof for the entropy notes",
            "dueAt": "2026-01-15T09:00:00+00:00" } }"#,
        expected: ("dueAt", 1),
    },
];
