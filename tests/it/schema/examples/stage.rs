//! What an example is executed with.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{PASSWORD, TestApp, images, newcomer};
use crate::support::Person;

/// A user with items, who is an admin if the example needs one.
pub(super) struct Stage {
    name: String,
    pub(super) user: Person,
    /// The cursor of the change feed before the items were created.
    pub(super) cursor: Value,
    pub(super) course: String,
    document: String,
    /// A tag of the document and of the task.
    homework: String,
    exam: String,
    /// A task in the course, due on 2026-12-08.
    task: String,
    trashed: String,
}

impl Stage {
    /// For the example of this field.
    pub(super) async fn new(app: &TestApp, field: &str) -> Stage {
        let name = format!("{field}-{}", Uuid::now_v7()).to_lowercase();
        let user = match field {
            "users" | "setUserActive" | "setUserRole" => app.admin(&name).await,
            _ => app.signed_up(&name).await,
        };
        let cursor = user.changes_cursor().await;
        let course = user.create_course("Analysis").await;
        let homework = user.create("Tag", json!({ "name": "homework" })).await;
        let exam = user.create("Tag", json!({ "name": "midterm" })).await;
        let document = json!({ "courseId": course, "title": "The chain rule",
            "formattedNote": "How to use the chain rule", "tagIds": [homework] });
        let task = json!({ "courseId": course, "title": "Read", "description": "All of it",
            "dueOn": "2026-12-08", "tagIds": [homework] });
        let (document, task) = (
            user.create("Document", document).await,
            user.create("Task", task).await,
        );
        let trashed = user.create_task(None, "Write").await;
        user.trash(&[&trashed]).await;
        Stage {
            name,
            user,
            cursor,
            course,
            document,
            homework,
            exam,
            task,
            trashed,
        }
    }

    /// The value of a variable in the example of this field.
    pub(super) async fn value(&self, app: &TestApp, field: &str, variable: &str) -> Value {
        match variable {
            "after" if field == "changes" => self.cursor.clone(),
            "after" => Value::Null,
            "id" => match field {
                "createTask" => json!(Uuid::now_v7().to_string()),
                "course" | "updateCourse" => json!(self.course),
                "document" | "updateDocument" => json!(self.document),
                "tag" | "updateTag" => json!(self.homework),
                _ => json!(self.task),
            },
            "ids" if ["restoreItems", "deleteItems"].contains(&field) => json!([self.trashed]),
            "ids" => json!([self.task]),
            "courseId" => json!(self.course),
            "documentId" => {
                if field == "removeDocumentImage" {
                    images::with_image(&self.user, &self.document).await;
                }
                json!(self.document)
            }
            "documents" => json!([{ "id": self.document, "title": "The rule" }]),
            "tagId" | "homework" => json!(self.homework),
            "exam" => json!(self.exam),
            "first" => json!(self.task),
            "second" => json!(self.user.create_task(Some(&self.course), "Write").await),
            "version" => json!(1),
            "uploadId" => images::uploaded(&self.user, &self.document).await["id"].take(),
            _ => self.account(app, field, variable).await,
        }
    }

    /// The value of a variable in an example about accounts.
    async fn account(&self, app: &TestApp, field: &str, variable: &str) -> Value {
        let email = format!("{}@example.com", self.name);
        match variable {
            "email" if field == "signUp" => newcomer(&format!("{}-2", self.name))["email"].clone(),
            "email" => json!(email),
            "password" => json!(PASSWORD),
            "newPassword" => json!("incorrect donkey"),
            "refreshToken" => json!(self.user.refresh_token),
            "sessionId" => json!(app.signed_in(&self.name).await.session),
            "userId" => json!(app.signed_up(&format!("{}-2", self.name)).await.id),
            "token" if field == "resetPassword" => {
                self.user.request_password_reset(&email).await;
                json!(self.mailed_token(app, "password_reset").await)
            }
            "token" => {
                self.user.request_email_verification().await;
                json!(self.mailed_token(app, "email_verification").await)
            }
            _ => panic!("no value for ${variable} of {field}"),
        }
    }

    /// The token that was mailed to this user. Tokens of other users are removed.
    async fn mailed_token(&self, app: &TestApp, purpose: &str) -> String {
        app.sql(&format!(
            "DELETE FROM mail_tokens WHERE user_id <> '{}'",
            self.user.id
        ))
        .await;
        app.mailed_token(purpose).await
    }
}
