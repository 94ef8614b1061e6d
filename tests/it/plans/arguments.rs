//! Filters and orders of random lists.

pub(super) fn filters(list: &str) -> &'static [&'static str] {
    match list {
        "tasks" => &[
            "",
            ", filter: { completed: false }",
            ", filter: { status: null, hasDueDate: true }",
            ", filter: { or: [{ priority: [HIGH] }, { not: { courseId: null } }] }",
            ", filter: { ids: $ids }",
        ],
        "documents" => &[
            "",
            ", filter: { status: TRASH }",
            ", filter: { and: [{ createdAfter: \"1960-01-01T00:00:00Z\" }] }",
            ", filter: { titleContains: \"doc\" }",
        ],
        _ => &[
            "",
            ", filter: { status: null }",
            ", filter: null",
            ", filter: { status: TRASH }",
        ],
    }
}

pub(super) fn orders(list: &str) -> &'static [&'static str] {
    match list {
        "tasks" => &[
            "",
            ", orderBy: { field: DUE_AT, direction: DESC }",
            ", orderBy: [{ field: POSITION }, { field: TITLE, direction: DESC }]",
            ", orderBy: [{ field: COMPLETED_AT, direction: ASC }, { field: PRIORITY }]",
        ],
        "documents" => &[
            "",
            ", orderBy: { field: TITLE }",
            ", orderBy: [{ field: UPDATED_AT, direction: ASC }, { field: TITLE }]",
        ],
        _ => &[
            "",
            ", orderBy: []",
            ", orderBy: { field: NAME, direction: DESC }",
        ],
    }
}
