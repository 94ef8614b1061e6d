//! Tests of manifests, and of which documents requests can name.

use graphql_gate::{CostRules, Gate, Limits};

use super::*;

const A: &str = "query A { a }";
const B: &str = "query B { b }";

fn gate() -> Gate<Prepared> {
    let rules = CostRules {
        free_types: &[],
        default_page_size: 10,
        max_page_size: 10,
        filter_points: &[],
    };
    let sdl = "type Query { a: Int b: Int }";
    Gate::new(sdl, Limits::default(), rules).with_plans(Prepared::new)
}

fn manifest(json: &str) -> Manifest {
    Manifest::parse("m.json".to_owned(), json).expect(json)
}

fn documents(
    manifests: &[&str],
    mode: DocumentMode,
    persisted_bytes: usize,
) -> Result<Documents, String> {
    let settings = DocumentSettings {
        manifests: manifests.iter().map(|json| manifest(json)).collect(),
        mode,
        persisted_bytes,
        tools: ToolMode::Off,
    };
    Documents::new(&gate(), &settings)
}

/// How a document is found: `trusted TEXT`, `text TEXT`, or the code of the error. It counts as admitted.
fn found(documents: &Documents, name: DocumentName) -> String {
    match documents.find(name) {
        Ok(found) => {
            let shown = match &found {
                Found::Trusted(document) => format!("trusted {}", document.text()),
                Found::Text { text, .. } => format!("text {text}"),
            };
            documents.note_admitted(found, None);
            shown
        }
        Err(error) => error.code.as_str().to_owned(),
    }
}

fn text(text: &str) -> DocumentName {
    DocumentName::Text(text.to_owned())
}

fn id(id: &str) -> DocumentName {
    DocumentName::Id(id.to_owned())
}

fn hash(hash: &str, text: Option<&str>) -> DocumentName {
    DocumentName::Hash {
        hash: hash.to_owned(),
        text: text.map(str::to_owned),
    }
}

#[test]
fn manifests_are_read_as_each_tool_writes_them() {
    let expected = [("1", A), ("2", B)].map(|(id, text)| (id.to_owned(), text.to_owned()));
    for json in [
        r#"{ "1": "query A { a }", "2": "query B { b }" }"#,
        r#"{ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [
            { "id": "1", "name": "A", "type": "query", "body": "query A { a }" },
            { "id": "2", "name": "B", "type": "query", "body": "query B { b }" } ] }"#,
    ] {
        assert_eq!(manifest(json).documents, expected);
    }
    for (json, problem) in [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}", "has no documents"),
        (r#"{ "1": 2 }"#, r#"has no text for the id "1""#),
        (
            r#"{ "format": "other" }"#,
            r#"has the unknown format "other""#,
        ),
        (
            r#"{ "format": "apollo-persisted-query-manifest", "version": 2 }"#,
            "is not of version 1",
        ),
        (
            r#"{ "format": "apollo-persisted-query-manifest", "version": 1 }"#,
            "has no list `operations`",
        ),
        (
            r#"{ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [{ "id": "1" }] }"#,
            "has no text `body` in operation 0",
        ),
    ] {
        let message = Manifest::parse("m.json".to_owned(), json).expect_err(json);
        let start = format!("SNAPNOTE_DOCUMENTS: m.json {problem}");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn every_trusted_document_must_be_valid() {
    for (manifests, problem) in [
        (
            &[r#"{ "1": "query A { a }", "2": "query B { c }" }"#][..],
            "m.json: document \"2\" is not valid: line 1, column 11: `Query` has no field `c`.",
        ),
        (
            &[r#"{ "1": "{ a" }"#],
            "m.json: document \"1\" is not valid: line 1, column ",
        ),
        (
            &[r#"{ "1": "query A { a }", "1": "query B { b }" }"#],
            "m.json: document \"1\" occurs twice, with different texts.",
        ),
        (
            &[r#"{ "1": "query A { a }" }"#, r#"{ "1": "query B { b }" }"#],
            "m.json: document \"1\" occurs twice, with different texts.",
        ),
        (
            &[r#"{ "sha256:00": "query A { a }" }"#],
            "m.json: document \"sha256:00\" has the SHA-256 ",
        ),
    ] {
        let message = documents(manifests, DocumentMode::Log, 0)
            .err()
            .expect(problem);
        assert!(message.contains(problem), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let many: Vec<String> = (0..30).map(|n| format!(r#""{n}": "{{ c }}""#)).collect();
    let many = format!("{{ {} }}", many.join(", "));
    let message = documents(&[&many], DocumentMode::Log, 0).err();
    let message = message.expect("none is valid");
    assert_eq!(message.lines().count(), MAX_SHOWN + 1, "{message}");
    assert!(message.ends_with("10 more documents are not valid."));
}

const MAX_SHOWN: usize = 20;

#[test]
fn trusted_documents_are_found_by_id_hash_and_text() {
    let of_a = Sha256Hash::of(A).to_string();
    let json = r#"{ "1": "query A { a }", "x-mine:2": "query A { a }" }"#;
    for mode in [DocumentMode::Log, DocumentMode::Enforce] {
        let documents = documents(&[json], mode, 1000).expect("it is valid");
        let prefixed = format!("sha256:{of_a}");
        for name in [
            text(A),
            id("1"),
            id("x-mine:2"),
            id(&prefixed),
            hash("1", None),
            hash(&of_a, None),
            hash("other", Some(A)),
        ] {
            let shown = format!("{name:?}");
            assert_eq!(found(&documents, name), "trusted query A { a }", "{shown}");
        }
        for unknown in ["2", "sha256:00", "", &of_a] {
            assert_eq!(found(&documents, id(unknown)), "BAD_REQUEST", "{unknown}");
        }
        assert_eq!(
            found(&documents, hash("2", None)),
            "PERSISTED_QUERY_NOT_FOUND"
        );
        let (expected, of_b) = match mode {
            DocumentMode::Log => ("text query B { b }", Sha256Hash::of(B)),
            DocumentMode::Enforce => ("DOCUMENT_NOT_TRUSTED", Sha256Hash::of(B)),
        };
        assert_eq!(found(&documents, text(B)), expected);
        assert_eq!(
            found(&documents, hash(&of_b.to_string(), Some(B))),
            expected
        );
        assert_eq!(found(&documents, hash("custom", Some(B))), expected);
    }
}

#[test]
fn persisted_queries_are_found_once_their_text_was_sent() {
    let documents = documents(&[], DocumentMode::Enforce, 10_000).expect("there are none");
    let of_a = Sha256Hash::of(A).to_string();
    let found = |name| found(&documents, name);
    assert_eq!(found(hash(&of_a, None)), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(found(text(A)), "text query A { a }");
    assert_eq!(found(hash(&of_a, None)), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(found(hash(&of_a, Some(B))), "BAD_REQUEST", "another text");
    assert_eq!(found(hash(&of_a, None)), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(found(hash(&of_a, Some(A))), "text query A { a }");
    assert_eq!(found(hash(&of_a, None)), "text query A { a }");
    assert_eq!(
        found(hash(&of_a.to_uppercase(), None)),
        "PERSISTED_QUERY_NOT_FOUND"
    );
    assert_eq!(found(id(&of_a)), "BAD_REQUEST", "it is not trusted");
}

#[test]
fn the_memory_of_persisted_queries_is_limited() {
    let documents = documents(&[], DocumentMode::Enforce, 20_000).expect("there are none");
    for number in 0..1_000 {
        let text = format!("{{ a }} # {number}");
        let of_text = Sha256Hash::of(&text).to_string();
        found(&documents, hash(&of_text, Some(&text)));
    }
    let persisted = documents.persisted.expect("they are on");
    assert!(persisted.weight() <= 20_000);
    assert!(persisted.len() > 10);
}

#[test]
fn persisted_queries_can_be_off() {
    let documents = documents(&[], DocumentMode::Enforce, 0).expect("there are none");
    let of_a = Sha256Hash::of(A).to_string();
    assert_eq!(
        found(&documents, hash(&of_a, None)),
        "PERSISTED_QUERY_NOT_SUPPORTED"
    );
    for (hash_of_other, text) in [(&of_a, A), (&of_a, B)] {
        let name = hash(hash_of_other, Some(text));
        assert_eq!(found(&documents, name), format!("text {text}"));
    }
}

#[test]
fn hashes_are_64_digits_in_lower_case() {
    let of_empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Sha256Hash::of("").to_string(), of_empty);
    assert_eq!(Sha256Hash::parse(of_empty), Some(Sha256Hash::of("")));
    let upper = of_empty.to_uppercase();
    for wrong in ["", "00", &upper, &of_empty[1..], &format!("{of_empty}00")] {
        assert_eq!(Sha256Hash::parse(wrong), None, "{wrong}");
    }
}
