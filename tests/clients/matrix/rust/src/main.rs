//! graphql_client: types of the operations, made from schema.graphql while this compiles. Uses a running service through them.

mod service;

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader},
    time::{SystemTime, UNIX_EPOCH},
};

use graphql_client::{GraphQLQuery, Response};
use serde_json::json;
use service::Service;

// The Rust types of the custom scalars. An application would rather use those of `jiff` or `chrono`, and `url`.
type Date = String;
type DateTime = String;
type JSONObject = serde_json::Map<String, serde_json::Value>;
type URL = String;

// The macro does not tell Cargo which schema it reads. This makes Cargo compile again when the schema changes.
const _: &str = include_str!("../../../../../schema.graphql");

/// Makes the types of operations. Without `skip_serializing_none`, omitted fields would be sent as null, which clears them.
macro_rules! operations {
    ($($name:ident),*) => { $(
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "../../../../schema.graphql",
            query_path = "src/operations.graphql",
            response_derives = "Debug, Clone, PartialEq",
            variables_derives = "Debug, Clone, Default, PartialEq",
            skip_serializing_none
        )]
        struct $name;
    )* };
}
operations!(
    SignUp,
    UpdateMe,
    CreateCourse,
    CreateDocument,
    CreateTask,
    UpdateTask,
    Tasks,
    ById,
    Me,
    Cursor,
    Changes
);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let url = env::args()
        .nth(1)
        .ok_or("usage: snapnote-rust-client URL")?;
    let mut service = Service { url, token: None };
    service.token = sign_up(&service)?;
    let course = create_course(&service)?;
    create_document(&service, &course)?;
    set_avatar(&service)?;
    let tasks = create_tasks(&service, &course)?;
    read_pages(&service, &course, &tasks)?;
    update_by_version(&service, &tasks[1])?;
    read_by_id(&service, &course, &tasks[1])?;
    read_user_errors(&service)?;
    read_request_errors(&service)?;
    read_live_changes(&service, &tasks[2])
}

/// Signs up a user. Returns the access token.
fn sign_up(service: &Service) -> Result<Option<String>> {
    let input = sign_up::SignUpInput {
        email: format!(
            "rust-{}@example.com",
            SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos()
        ),
        name: "User of Rust".to_owned(),
        password: "correct horse battery".to_owned(),
    };
    let signed_up = service
        .data::<SignUp>(sign_up::Variables { input })?
        .sign_up
        .ok_or("no payload")?;
    assert_eq!(signed_up.user_errors, []);
    assert_eq!(signed_up.user.ok_or("no user")?.name, "User of Rust");
    Ok(signed_up.access_token)
}

/// Creates a course with a color. Returns its id.
fn create_course(service: &Service) -> Result<String> {
    let input = create_course::CreateCourseInput {
        name: "Algebra".to_owned(),
        color: Some("#4F6BED".to_owned()),
        ..Default::default()
    };
    let created = service
        .data::<CreateCourse>(create_course::Variables { input })?
        .create_course
        .ok_or("no payload")?;
    let course = created.course.ok_or("no course")?;
    assert_eq!(course.color.as_deref(), Some("#4F6BED"));
    Ok(course.id)
}

/// Creates a document with metadata.
fn create_document(service: &Service, course: &str) -> Result<()> {
    let metadata =
        json!({ "pages": [1, 2.5], "scan": { "device": "Ä", "ok": true, "note": null } });
    let input = create_document::CreateDocumentInput {
        course_id: course.to_owned(),
        title: "Groups".to_owned(),
        formatted_note: "# Groups".to_owned(),
        metadata: metadata.as_object().cloned(),
        ..Default::default()
    };
    let document = service
        .data::<CreateDocument>(create_document::Variables { input })?
        .create_document
        .ok_or("no payload")?;
    assert_eq!(
        Some(document.document.ok_or("no document")?.metadata),
        metadata.as_object().cloned()
    );
    Ok(())
}

/// Sets the user's avatar, a URL.
fn set_avatar(service: &Service) -> Result<()> {
    let avatar = "https://example.com/ada.png";
    let input = update_me::UpdateMeInput {
        avatar_url: Some(avatar.to_owned()),
        name: None,
    };
    let user = service
        .data::<UpdateMe>(update_me::Variables { input })?
        .update_me
        .and_then(|payload| payload.user);
    assert_eq!(
        user.and_then(|user| user.avatar_url).as_deref(),
        Some(avatar)
    );
    Ok(())
}

/// Creates seven tasks: the first is due at a time, the others on a date. Returns their ids.
fn create_tasks(service: &Service, course: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for number in 1..=7 {
        let is_first = number == 1;
        let input = create_task::CreateTaskInput {
            course_id: Some(course.to_owned()),
            title: format!("Sheet {number}"),
            priority: Some(create_task::TaskPriority::HIGH),
            due_at: is_first.then(|| "2026-12-01T10:00:00+02:00".to_owned()),
            due_on: (!is_first).then(|| "2026-12-08".to_owned()),
            ..Default::default()
        };
        let payload = service
            .data::<CreateTask>(create_task::Variables { input })?
            .create_task
            .ok_or("no payload")?;
        let task = payload.task.ok_or("no task")?;
        let expected = if is_first {
            (Some("2026-12-01T08:00:00.000000Z"), None)
        } else {
            (None, Some("2026-12-08"))
        };
        assert_eq!((task.due_at.as_deref(), task.due_on.as_deref()), expected);
        assert_eq!(task.priority, create_task::TaskPriority::HIGH);
        assert!(task.created_at.ends_with('Z'), "{}", task.created_at);
        ids.push(task.task_row.id);
    }
    Ok(ids)
}

/// Reads the tasks of the course in two pages.
fn read_pages(service: &Service, course: &str, ids: &[String]) -> Result<()> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let filter = Some(tasks::TaskFilter {
            course_id: Some(course.to_owned()),
            ..Default::default()
        });
        let page = service
            .data::<Tasks>(tasks::Variables {
                filter,
                first: 4,
                after,
            })?
            .tasks;
        pages.push(
            page.nodes
                .into_iter()
                .map(|task| task.id)
                .collect::<Vec<_>>(),
        );
        after = page.page_info.end_cursor;
        if !page.page_info.has_next_page {
            break;
        }
    }
    assert_eq!(pages, [&ids[..4], &ids[4..]]);
    Ok(())
}

/// An update by version keeps the omitted fields. An update of the old version is a conflict, and returns the current one.
fn update_by_version(service: &Service, id: &str) -> Result<()> {
    let input = update_task::UpdateTaskInput {
        id: id.to_owned(),
        completed: Some(true),
        version: Some(1),
        ..Default::default()
    };
    let payload = service
        .data::<UpdateTask>(update_task::Variables {
            input: input.clone(),
        })?
        .update_task
        .ok_or("no payload")?;
    let task = payload.task.ok_or("no task")?;
    assert_eq!(
        (
            task.task_row.completed,
            task.task_row.version,
            task.due_on.as_deref()
        ),
        (true, 2, Some("2026-12-08"))
    );
    let payload = service
        .data::<UpdateTask>(update_task::Variables { input })?
        .update_task
        .ok_or("no payload")?;
    assert_eq!(
        payload.user_errors[0].code,
        update_task::UserErrorCode::CONFLICT
    );
    assert_eq!(
        payload.task.ok_or("no current version")?.task_row.version,
        2
    );
    Ok(())
}

/// `__typename` tells the types of an interface apart.
fn read_by_id(service: &Service, course: &str, task: &str) -> Result<()> {
    let variables = by_id::Variables {
        id: task.to_owned(),
        ids: vec![
            course.to_owned(),
            task.to_owned(),
            "00000000-0000-0000-0000-000000000000".to_owned(),
        ],
    };
    let found = service.data::<ById>(variables)?;
    let node = found.node.ok_or("no node")?;
    assert!(
        matches!(
            node.on,
            by_id::ByIdNodeOn::Task(by_id::ByIdNodeOnTask {
                completed: true,
                version: 2,
                ..
            })
        ),
        "{node:?}"
    );
    let [Some(first), Some(second), None] = &found.nodes[..] else {
        return Err(format!("{:?}", found.nodes).into());
    };
    assert!(
        matches!(&first.on, by_id::ByIdNodesOn::Course(course) if course.name == "Algebra"),
        "{first:?}"
    );
    assert!(
        matches!(&second.on, by_id::ByIdNodesOn::Task(task) if task.title == "Sheet 2"),
        "{second:?}"
    );
    Ok(())
}

/// Errors in the input have a code and a path.
fn read_user_errors(service: &Service) -> Result<()> {
    let input = create_task::CreateTaskInput {
        title: " ".to_owned(),
        ..Default::default()
    };
    let payload = service
        .data::<CreateTask>(create_task::Variables { input })?
        .create_task
        .ok_or("no payload")?;
    let error = &payload.user_errors[0];
    assert_eq!(error.code, create_task::UserErrorCode::BLANK);
    assert_eq!(
        error.field,
        Some(vec!["input".to_owned(), "title".to_owned()])
    );
    assert_eq!(payload.task, None);
    Ok(())
}

/// Other errors have a code, and some a status.
fn read_request_errors(service: &Service) -> Result<()> {
    let (status, response) = service.send::<Tasks>(tasks::Variables {
        filter: None,
        first: 500,
        after: None,
    })?;
    assert_eq!(
        (status, code(&response)),
        (200, Some("BAD_USER_INPUT".to_owned()))
    );
    let signed_out = Service {
        url: service.url.clone(),
        token: Some("invalid".to_owned()),
    };
    let (status, response) = signed_out.send::<Me>(me::Variables)?;
    assert_eq!(
        (status, code(&response)),
        (401, Some("UNAUTHENTICATED".to_owned()))
    );
    Ok(())
}

/// A change arrives over server-sent events.
fn read_live_changes(service: &Service, task: &str) -> Result<()> {
    let after = Some(service.data::<Cursor>(cursor::Variables)?.changes_cursor);
    let stream = service
        .request::<Changes>(changes::Variables { after })?
        .with_header("Accept", "text/event-stream")
        .send_lazy()?;
    let input = update_task::UpdateTaskInput {
        id: task.to_owned(),
        title: Some("Renamed".to_owned()),
        ..Default::default()
    };
    service.data::<UpdateTask>(update_task::Variables { input })?;
    for line in BufReader::new(stream).lines() {
        let Some(event) = line?
            .strip_prefix("data:")
            .map(|data| serde_json::from_str::<Response<changes::ResponseData>>(data.trim()))
        else {
            continue;
        };
        let change = event?.data.ok_or("no data")?.changes;
        assert_eq!(
            (change.action, change.version),
            (changes::ChangeAction::UPDATED, 2)
        );
        let item = change.item.ok_or("no item")?;
        assert!(
            matches!(&item.on, changes::ChangesChangesItemOn::Task(task) if task.title == "Renamed"),
            "{item:?}"
        );
        return Ok(());
    }
    Err("the subscription ended without an event".into())
}

fn code<T>(response: &Response<T>) -> Option<String> {
    let extensions = response.errors.as_ref()?.first()?.extensions.as_ref()?;
    Some(extensions.get("code")?.as_str()?.to_owned())
}
