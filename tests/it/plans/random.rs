//! Random selections of random data.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{
    answer,
    arguments::{filters, orders},
    both, ready,
};
use crate::support::{Numbers, Person, TestApp};

const QUERIES: usize = 400;

/// Courses, documents, tasks and tags, some with nulls in all columns.
const KEEP: &str = r#"
    INSERT INTO courses (user_id, id, name, description, color, icon, created_at)
    SELECT users.id, md5('course ' || n)::uuid, 'Course ' || n, CASE WHEN n % 2 = 0 THEN E'Text "' || n || E'"\n\t\\ é 😀' END,
        CASE WHEN n % 3 = 0 THEN '#00ff00' END, CASE WHEN n % 4 = 0 THEN '📚' END, timestamptz '2026-03-01' + n % 3 * interval '1 day'
    FROM users, generate_series(1, 6) AS n;
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, processing_time, metadata, created_at)
    SELECT users.id, md5('document ' || n)::uuid, md5('course ' || 1 + n % 5)::uuid, 'Document ' || n % 7, 'text', 'note', E'\u0001\u007f' || n,
        CASE WHEN n % 2 = 0 THEN n / 7.0 END, jsonb_build_object('b', n, 'a', jsonb_build_array(n * 1.50, null, E'"\n'), '', '{}'::jsonb),
        timestamptz '1969-12-31 23:59:59.5' + n % 4 * interval '1 microsecond'
    FROM users, generate_series(1, 30) AS n;
    INSERT INTO tasks (user_id, id, course_id, title, description, priority, completed_at, due_at, due_on, position)
    SELECT users.id, md5('task ' || n)::uuid, CASE WHEN n % 3 > 0 THEN md5('course ' || 1 + n % 5)::uuid END, 'Task ' || n % 5,
        CASE WHEN n % 4 = 0 THEN 'Described' END, n % 3, CASE WHEN n % 5 = 0 THEN timestamptz '9999-12-31 23:59:59.999999Z' END,
        CASE WHEN n % 6 = 1 THEN timestamptz '0001-01-01Z' + n * interval '1 day' END, CASE WHEN n % 6 = 2 THEN date '2026-01-01' + n END,
        CASE WHEN n % 4 = 1 THEN 'a' || n % 3 END
    FROM users, generate_series(1, 40) AS n;
    INSERT INTO tags (user_id, id, name, name_folded, color)
    SELECT users.id, md5('tag ' || n)::uuid, 'Tag ' || n, 'tag ' || n, CASE WHEN n = 2 THEN '#123456' END FROM users, generate_series(1, 4) AS n;
    INSERT INTO document_tags (user_id, item_id, tag_id)
    SELECT users.id, md5('document ' || n)::uuid, md5('tag ' || 1 + n % 4)::uuid FROM users, generate_series(1, 20) AS n;
    INSERT INTO task_tags (user_id, item_id, tag_id)
    SELECT users.id, md5('task ' || n)::uuid, md5('tag ' || m)::uuid FROM users, generate_series(1, 20) AS n, generate_series(1, 1 + n % 3) AS m"#;

const SHARED: &[&str] = &[
    "id",
    "status",
    "version",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "__typename",
];
const COURSE: &[&str] = &[
    "name",
    "description",
    "color",
    "icon",
    "documentCount",
    "openTaskCount",
];
const DOCUMENT: &[&str] = &["title", "excerpt", "processingTime", "metadata", "courseId"];
const TASK: &[&str] = &[
    "title",
    "description",
    "completed",
    "completedAt",
    "dueAt",
    "dueOn",
    "position",
    "priority",
    "courseId",
];
const TAG: &[&str] = &["name", "color", "documentCount", "openTaskCount"];
const USER: &[&str] = &[
    "id",
    "email",
    "name",
    "avatarUrl",
    "emailVerified",
    "active",
    "role",
    "createdAt",
    "updatedAt",
    "lastSignInAt",
    "__typename",
];

const VARIABLES: [(&str, &str); 5] = [
    ("$yes", "Boolean!"),
    ("$no", "Boolean!"),
    ("$id", "ID!"),
    ("$ids", "[ID!]!"),
    ("$first", "Int = 2"),
];

/// Writes a random query.
struct Writer {
    numbers: Numbers,
    text: String,
    /// Cursors that earlier responses contained, by the list.
    cursors: Vec<(&'static str, String)>,
    aliases: usize,
}

impl Writer {
    fn chance(&mut self, of: usize) -> bool {
        self.numbers.below(of) == 0
    }

    fn alias(&mut self) -> bool {
        let is_aliased = self.chance(3);
        if is_aliased {
            self.aliases += 1;
            write!(self.text, "a{}: ", self.aliases).unwrap();
        }
        is_aliased
    }

    /// Any of `@skip` and `@include`, by a variable or a constant.
    fn condition(&mut self) {
        let condition = match self.numbers.below(12) {
            0 => " @include(if: $yes)",
            1 => " @skip(if: $no)",
            2 => " @include(if: $no)",
            3 => " @skip(if: false)",
            _ => "",
        };
        self.text.push_str(condition);
    }

    fn query(&mut self) -> String {
        self.text = " { __typename".to_owned();
        self.aliases = 0;
        for root in 0..=self.numbers.below(3) {
            write!(self.text, " r{root}: ").unwrap();
            match self.numbers.below(8) {
                0 => {
                    self.text.push_str("me");
                    self.user();
                }
                1 | 2 => {
                    let field = self.numbers.one_of(&["node(id: $id)", "nodes(ids: $ids)"]);
                    self.text.push_str(field);
                    self.nodes();
                }
                3 => {
                    let kind = self.numbers.one_of(&["course", "document", "task", "tag"]);
                    write!(self.text, "{kind}(id: $id)").unwrap();
                    self.object(kind, 2);
                }
                _ => {
                    let lists = ["courses", "documents", "tasks", "tags"];
                    let list = self.numbers.one_of(&lists);
                    self.text.push_str(list);
                    self.list(list, 2, true);
                }
            }
        }
        self.text.push_str(" }");
        let is_used = |name: &str| {
            let mut ends = self.text.split(name).skip(1);
            ends.any(|rest| !rest.starts_with(char::is_alphabetic))
        };
        let variables = VARIABLES.iter().filter(|(name, _)| is_used(name));
        let declared: Vec<String> = variables
            .map(|(name, ty)| format!("{name}: {ty}"))
            .collect();
        match declared.is_empty() {
            true => self.text.clone(),
            false => format!("query({}){}", declared.join(", "), self.text),
        }
    }

    fn nodes(&mut self) {
        self.text
            .push_str(" { __typename id ... on Item { version status }");
        for (kind, name) in [
            ("course", "Course"),
            ("document", "Document"),
            ("task", "Task"),
            ("tag", "Tag"),
        ] {
            if self.chance(2) {
                write!(self.text, " ... on {name}").unwrap();
                self.object(kind, 1);
            }
        }
        if self.chance(2) {
            self.text.push_str(" ... on CourseItem { title }");
        }
        self.text.push_str(" ... on User");
        self.user();
        self.text.push_str(" }");
    }

    fn user(&mut self) {
        self.text.push_str(" { id");
        self.scalars(USER);
        self.text.push_str(" }");
    }

    fn scalars(&mut self, fields: &[&str]) {
        for _ in 0..self.numbers.below(5) {
            self.text.push(' ');
            let is_aliased = self.alias();
            let field = self.numbers.one_of(fields);
            self.text.push_str(match field {
                // Its type differs between documents and tasks, so that both cannot be merged.
                "courseId" if fields == TASK && !is_aliased => "ofTask: courseId",
                field => field,
            });
            self.condition();
        }
    }

    fn object(&mut self, kind: &str, depth: usize) {
        self.text.push_str(" { id");
        self.scalars(SHARED);
        self.scalars(match kind {
            "course" => COURSE,
            "document" => DOCUMENT,
            "task" => TASK,
            _ => TAG,
        });
        if self.chance(4) {
            self.text.push_str(" ... on Item { version ");
            self.scalars(SHARED);
            self.text.push_str(" }");
        }
        if self.chance(5) {
            self.text.push_str(" owner");
            self.user();
        }
        if depth > 0 {
            self.children(kind, depth - 1);
        }
        self.text.push_str(" }");
    }

    fn children(&mut self, kind: &str, depth: usize) {
        for _ in 0..self.numbers.below(3) {
            self.aliases += 1;
            write!(self.text, " c{}: ", self.aliases).unwrap();
            if matches!(kind, "course" | "tag") {
                let list = self.numbers.one_of(&["documents", "tasks"]);
                self.text.push_str(list);
                self.list(list, depth, false);
                continue;
            }
            let field = self.numbers.one_of(&["course", "trashedWith", "tags"]);
            self.text.push_str(field);
            match field {
                "tags" => self.object("tag", depth),
                _ => self.object("course", depth),
            }
        }
    }

    fn list(&mut self, list: &'static str, depth: usize, is_root: bool) {
        self.arguments(list, is_root);
        let kind = list.trim_end_matches('s');
        self.text.push_str(" {");
        for _ in 0..=self.numbers.below(3) {
            self.text.push(' ');
            match self.numbers.below(5) {
                0 => self.text.push_str("totalCount"),
                1 => {
                    let info = "hasNextPage hasPreviousPage startCursor e: endCursor __typename";
                    write!(self.text, "pageInfo {{ {info} }}").unwrap();
                }
                2 => {
                    self.text.push_str("edges { __typename cursor node");
                    self.object(kind, depth);
                    self.text.push_str(" }");
                }
                _ => {
                    self.text.push_str("nodes");
                    self.object(kind, depth);
                }
            }
        }
        self.text.push_str(" }");
    }

    fn arguments(&mut self, list: &'static str, is_root: bool) {
        let size = self
            .numbers
            .one_of(&["first: $first", "first: 2", "last: 3", "first: 5"]);
        let filter = self.numbers.one_of(filters(list));
        let order = self.numbers.one_of(orders(list));
        write!(self.text, "({size}{filter}{order}").unwrap();
        if is_root && order.is_empty() && self.chance(2) {
            let known = self.cursors.iter().filter(|(of, _)| *of == list);
            let known: Vec<String> = known.map(|(_, cursor)| cursor.clone()).collect();
            let side = self.numbers.one_of(&["after", "before"]);
            write!(self.text, ", {side}: \"{}\"", self.numbers.one_of(&known)).unwrap();
        }
        self.text.push(')');
    }
}

/// Some items are in the trash.
async fn filled() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(KEEP).await;
    for trashed in ["course 5", "document 3", "task 4", "tag 3"] {
        let id = app
            .text(&format!("SELECT md5('{trashed}')::uuid::text"))
            .await;
        ada.trash(&[id]).await;
    }
    (app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_selections_have_the_same_bytes_with_and_without_plans() {
    let (app, ada) = filled().await;
    let (with, without) = both(&app).await;
    let (planned, executed) = (ada.at(&with), ada.at(&without));
    ready(&planned, &app).await;
    let mut ids = vec![ada.id.clone()];
    for known in [
        "course 1",
        "course 5",
        "document 2",
        "document 3",
        "task 6",
        "tag 2",
    ] {
        ids.push(
            app.text(&format!("SELECT md5('{known}')::uuid::text"))
                .await,
        );
    }
    let mut cursors = Vec::new();
    for list in ["courses", "documents", "tasks", "tags"] {
        let data = ada
            .query(&format!("{{ {list}(first: 5) {{ edges {{ cursor }} }} }}"))
            .await;
        let edges = data[list]["edges"].as_array().unwrap().iter();
        cursors.extend(edges.map(|edge| (list, edge["cursor"].as_str().unwrap().to_owned())));
    }
    let mut writer = Writer {
        numbers: Numbers(16),
        text: String::new(),
        cursors,
        aliases: 0,
    };
    let mut whole = 0;
    for _ in 0..QUERIES {
        let query = writer.query();
        let mut variables = Map::new();
        variables.insert("yes".into(), json!(true));
        variables.insert("no".into(), json!(writer.chance(4)));
        variables.insert("id".into(), json!(writer.numbers.one_of(&ids)));
        variables.insert(
            "ids".into(),
            json!(ids[..1 + writer.numbers.below(ids.len())]),
        );
        if writer.chance(2) {
            let sizes = [Value::Null, json!(1), json!(4)];
            variables.insert("first".into(), writer.numbers.one_of(&sizes));
        }
        let variables = Value::Object(variables);
        let expected = answer(&executed, &query, &variables).await;
        let answer = answer(&planned, &query, &variables).await;
        assert_eq!(answer.body, expected.body, "{query} {variables}");
        whole += usize::from(answer.json().get("errors").is_none());
    }
    // The others cost too much.
    assert!(whole > QUERIES * 9 / 10, "{whole}");
}
