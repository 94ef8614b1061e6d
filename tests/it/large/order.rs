//! Locks are taken in one order by all writing mutations: none waits for another that waits for it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Notebook;

const WORKERS: u64 = 8;
const ROUNDS: u64 = 60;

/// A generator of numbers that is the same at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn pick<'a>(&mut self, ids: &[&'a str]) -> &'a str {
        ids[self.below(ids.len())]
    }

    /// A few of them in any order.
    fn several(&mut self, ids: &[&str]) -> String {
        let count = 1 + self.below(4);
        let picked: Vec<String> = (0..count)
            .map(|_| format!("\"{}\"", self.pick(ids)))
            .collect();
        picked.join(", ")
    }
}

/// One of the mutations that write items.
fn mutation(numbers: &mut Numbers, courses: &[&str], documents: &[&str], tasks: &[&str]) -> String {
    let all: Vec<&str> = [courses, documents, tasks].concat();
    let (course, document, task) = (
        numbers.pick(courses),
        numbers.pick(documents),
        numbers.pick(tasks),
    );
    match numbers.below(12) {
        0 => format!("createTask(input: {{ courseId: \"{course}\", title: \"zebra new\" }})"),
        1 => format!(
            "createDocument(input: {{ courseId: \"{course}\", title: \"zebra\", originalText: \"a\", formattedNote: \"b\" }})"
        ),
        2 => format!(
            "updateTask(input: {{ id: \"{task}\", courseId: \"{course}\", title: \"zebra crossing\" }})"
        ),
        3 => format!(
            "updateTask(input: {{ id: \"{task}\", description: \"lion {}\" }})",
            numbers.below(100)
        ),
        4 => format!("updateDocument(input: {{ id: \"{document}\", courseId: \"{course}\" }})"),
        5 => format!(
            "updateDocument(input: {{ id: \"{document}\", formattedNote: \"tiger {}\" }})",
            numbers.below(100)
        ),
        6 => format!(
            "updateCourse(input: {{ id: \"{course}\", name: \"zebra {}\" }})",
            numbers.below(100)
        ),
        7 => format!(
            "completeTasks(input: {{ ids: [{}] }})",
            numbers.several(tasks)
        ),
        8 => format!(
            "reopenTasks(input: {{ ids: [{}] }})",
            numbers.several(tasks)
        ),
        9 => format!("trashItems(input: {{ ids: [{}] }})", numbers.several(&all)),
        10 => format!(
            "requestImageUpload(input: {{ documentId: \"{document}\", contentType: \"image/png\", byteSize: 9 }})"
        ),
        _ => format!(
            "restoreItems(input: {{ ids: [{}, \"{course}\"] }})",
            numbers.several(&all)
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutations_on_the_same_few_rows_never_fail_because_of_each_other() {
    let notebook = Notebook::new().await;
    let courses = [notebook.course.as_str(), notebook.other.as_str()];
    let documents: Vec<&str> = notebook.documents.iter().map(String::as_str).collect();
    let tasks: Vec<&str> = notebook.tasks.iter().map(String::as_str).collect();
    let worker = |seed: u64| {
        let (client, documents, tasks) = (&notebook.ada, &documents, &tasks);
        async move {
            let mut numbers = Numbers(seed);
            for _ in 0..ROUNDS {
                let mutation = mutation(&mut numbers, &courses, documents, tasks);
                let query = format!("mutation {{ {mutation} {{ userErrors {{ code }} }} }}");
                let answer = client.graphql(&query, json!({})).await;
                let code = &answer["errors"][0]["extensions"]["code"];
                let is_busy = *code == json!("RATE_LIMITED");
                assert!(code.is_null() || is_busy, "{mutation}: {answer}");
            }
        }
    };
    // The sweep works on the same rows meanwhile.
    let sweeping = async {
        for _ in 0..ROUNDS {
            snapnote::trash::sweep::sweep(&notebook.app.pool, 0)
                .await
                .unwrap();
            snapnote::pending::finish(&notebook.app.pool).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = join_all((0..WORKERS).map(worker)) => {}
        () = async { sweeping.await; std::future::pending::<()>().await } => {}
    }
    notebook.finish().await;
    for table in ["documents", "tasks"] {
        let wrong = format!(
            "SELECT count(*) FROM {table} AS item JOIN courses USING (user_id)
             WHERE courses.id = item.course_id AND (item.status = 'active' OR item.trashed_with IS NOT NULL)
                AND item.status <> courses.status"
        );
        assert_eq!(notebook.app.number(&wrong).await, 0, "{table}");
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks = notebook.app.number(deadlocks).await;
    assert_eq!(deadlocks, 0, "repeated, but met");
    let _: Value = notebook.seen().await;
}
