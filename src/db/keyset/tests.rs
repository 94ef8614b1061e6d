use super::*;

impl Keyed for Position {
    fn id(&self) -> Uuid {
        self.id
    }
}

const CREATED: SortKey<Position> = SortKey::new(
    "task.created",
    "created_at",
    KeyValue::Time(|_| DateTime::default()),
);
const TITLE: SortKey<Position> =
    SortKey::new("task.title", "title", KeyValue::Text(|row| &row.key));

#[test]
fn a_cursor_is_bound_to_its_order() {
    let order = Order {
        key: TITLE,
        descending: true,
    };
    let position = Position {
        key: "Übung – 1".to_owned(),
        id: Uuid::from_u128(7),
    };
    let cursor = order.cursor(&position);
    assert_eq!(order.position(&cursor), Some(position));
    assert_eq!(
        Order {
            key: TITLE,
            descending: false
        }
        .position(&cursor),
        None
    );
    assert_eq!(
        Order {
            key: CREATED,
            descending: true
        }
        .position(&cursor),
        None
    );
}

#[test]
fn what_is_no_cursor_is_told() {
    let order = Order {
        key: CREATED,
        descending: true,
    };
    let forged = |text: &str| cursor::encode(text);
    let id = "00000000000000000000000000000007";
    for cursor in [
        "",
        "!",
        "AAAA",
        &forged("task.created-"),
        &forged(&format!("task.created-{id}soon")),
    ] {
        assert_eq!(order.position(cursor), None, "{cursor}");
    }
    assert!(
        order
            .position(&forged(&format!("task.created-{id}infinity")))
            .is_some()
    );
    let text = Order {
        key: TITLE,
        descending: false,
    };
    assert_eq!(
        text.position(&forged(&format!("task.title+{id}a\0b"))),
        None
    );
}
