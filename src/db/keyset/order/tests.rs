use super::*;

struct Row {
    title: String,
    id: Uuid,
}

impl Keyed for Row {
    fn id(&self) -> Uuid {
        self.id
    }
}

const CREATED: SortKey<Row> = SortKey::new(
    "task.created",
    "created_at",
    KeyValue::Time(|_| DateTime::default()),
);
const TITLE: SortKey<Row> = SortKey::new("task.title", "title", KeyValue::Text(|row| &row.title));
const PRIORITY: SortKey<Row> = SortKey::new("task.priority", "priority", KeyValue::Number(|_| 1));

fn order<const KEYS: usize>(keys: [(SortKey<Row>, bool); KEYS]) -> Order<Row> {
    let keys = keys.into_iter();
    Order::by_all(keys.map(|(key, descending)| Sorted { key, descending }))
}

#[test]
fn a_cursor_is_bound_to_its_order() {
    let row = Row {
        title: "Übung – 1".to_owned(),
        id: Uuid::from_u128(7),
    };
    let single = order([(TITLE, true)]);
    let position = Position {
        keys: vec![row.title.clone()],
        id: row.id,
    };
    assert_eq!(single.position(&single.cursor(&row)), Some(position));
    let pair = order([(TITLE, true), (CREATED, false)]);
    let position = Position {
        keys: vec![row.title.clone(), "1970-01-01T00:00:00.000000Z".to_owned()],
        id: row.id,
    };
    assert_eq!(pair.position(&pair.cursor(&row)), Some(position));
    let orders = [
        single,
        pair,
        order([(TITLE, false)]),
        order([(CREATED, true)]),
        order([(CREATED, false), (TITLE, true)]),
        order([(TITLE, true), (CREATED, true)]),
        order([(TITLE, true), (CREATED, false), (PRIORITY, true)]),
    ];
    for (at, one) in orders.iter().enumerate() {
        for (of, other) in orders.iter().enumerate() {
            let is_own = other.position(&one.cursor(&row)).is_some();
            assert_eq!(is_own, at == of, "{at} {of}");
        }
    }
}

#[test]
fn texts_that_are_not_cursors_are_rejected() {
    let created = order([(CREATED, true)]);
    let forged = |text: &str| cursor::encode(text);
    let id = "00000000000000000000000000000007";
    for cursor in [
        "",
        "!",
        "AAAA",
        &forged("task.created-"),
        &forged(&format!("task.created-{id}soon")),
        &forged(&format!("task.created-{id}infinity\0infinity")),
    ] {
        assert_eq!(created.position(cursor), None, "{cursor}");
    }
    let infinity = forged(&format!("task.created-{id}infinity"));
    assert!(created.position(&infinity).is_some());
    let title = order([(TITLE, false)]);
    let with_nul = forged(&format!("task.title+{id}a\0b"));
    assert_eq!(title.position(&with_nul), None);
}

/// The condition that rows of a part are on this side of a position, whose keys have this text.
fn bound(order: Order<Row>, key: &str, side: Side, part: Part) -> String {
    use diesel::{
        pg::{Pg, PgQueryBuilder},
        query_builder::{QueryBuilder, QueryFragment},
    };
    let mut statement = Statement::<()>::new("");
    let keys = order.keys().map(|_| key.to_owned()).collect();
    let id = Uuid::nil();
    order.write_bound(&mut statement, (&Position { keys, id }, side), part);
    let mut text = PgQueryBuilder::default();
    statement.to_sql(&mut text, &Pg).expect("well numbered");
    text.finish()
}

#[test]
fn keys_in_the_same_direction_are_compared_as_one_row() {
    for (order, side, expected) in [
        (
            order([(CREATED, true)]),
            Side::After,
            "(created_at, id) < ($1::timestamptz, $2)",
        ),
        (
            order([(PRIORITY, false), (TITLE, false)]),
            Side::Before,
            "(priority, title, id) < ($1::smallint, $2, $3)",
        ),
        (
            order([(PRIORITY, true), (TITLE, false)]),
            Side::After,
            "(priority) <= ($1::smallint) AND ((priority) <> ($1::smallint) OR (title, id) > ($2, $3))",
        ),
        (
            order([(PRIORITY, true), (TITLE, false), (CREATED, true)]),
            Side::Before,
            "(priority) >= ($1::smallint) AND ((priority) <> ($1::smallint) OR (title) <= ($2) AND ((title) <> ($2) \
             OR (created_at, id) > ($3::timestamptz, $4)))",
        ),
    ] {
        let bound = bound(order, "1", side, Part::Whole);
        assert_eq!(bound, format!(" AND {expected}"));
    }
}

const DUE: SortKey<Row> = SortKey::nullable(
    "task.due",
    "due",
    "coalesce(due, 'infinity')",
    KeyValue::TimeOr("infinity", |_| None),
);

#[test]
fn a_position_limits_only_its_part_of_a_list() {
    let (present, absent) = ("2026-01-01T00:00:00.000000Z", "infinity");
    let pair = order([(DUE, false), (TITLE, true)]);
    for (order, key, part, expected) in [
        (order([(DUE, false)]), present, Part::Absent, ""),
        (order([(DUE, false)]), absent, Part::Present, ""),
        (
            order([(DUE, true)]),
            absent,
            Part::Absent,
            " AND (id) < ($1)",
        ),
        (
            order([(DUE, false)]),
            present,
            Part::Present,
            " AND (due, id) > ($1::timestamptz, $2)",
        ),
        (
            order([(DUE, false)]),
            absent,
            Part::Whole,
            " AND (coalesce(due, 'infinity'), id) > ($1::timestamptz, $2)",
        ),
        (pair, absent, Part::Absent, " AND (title, id) < ($1, $2)"),
    ] {
        assert_eq!(bound(order, key, Side::After, part), expected);
    }
}

#[test]
fn a_range_has_only_the_parts_between_its_positions() {
    let due = order([(DUE, false)]);
    let position = |key: &str| Position {
        keys: vec![key.to_owned()],
        id: Uuid::nil(),
    };
    let (present, absent) = (
        Some(position("2026-01-01T00:00:00.000000Z")),
        Some(position("infinity")),
    );
    for (after, before, expected) in [
        (&None, &None, [Part::Present, Part::Absent].as_slice()),
        (&present, &absent, &[Part::Present, Part::Absent]),
        (&absent, &None, &[Part::Absent]),
        (&None, &present, &[Part::Present]),
        (&absent, &present, &[Part::Whole]),
    ] {
        let mut slice = Slice {
            size: 1,
            backward: false,
            after: after.clone(),
            before: before.clone(),
            offset: 0,
        };
        assert_eq!(due.parts(&slice), expected);
        slice.backward = true;
        let backward: Vec<Part> = expected.iter().rev().copied().collect();
        assert_eq!(due.parts(&slice), backward);
        assert_eq!(order([(TITLE, false)]).parts(&slice), [Part::Whole]);
    }
}
