//! How conditions on tags are written. PostgreSQL's counters do not show how often it searches an array.

use super::*;

/// How many of the conditions that `write` writes are arrays, and how many are hash tables.
fn arrays_and_tables(write: impl FnOnce(&mut Conditions<'_>)) -> (usize, usize) {
    let mut statement = SqlText::new("");
    write(&mut Conditions::that_find_ids(&mut statement, Uuid::nil()));
    let count = |part: &str| statement.text().matches(part).count();
    (count("id = ANY(ARRAY("), count("(id IN ("))
}

#[test]
fn only_the_first_condition_on_tags_outside_of_or_and_not_is_an_array() {
    fn tagged<'c, 'a>(conditions: &'c mut Conditions<'a>) -> &'c mut Conditions<'a> {
        conditions.tagged(ItemKind::Task, Some(&[ObjectId(Uuid::nil())]))
    }
    let one = arrays_and_tables(|conditions| {
        tagged(conditions);
    });
    assert_eq!(one, (1, 0));
    let two = arrays_and_tables(|conditions| {
        tagged(tagged(conditions));
    });
    assert_eq!(two, (1, 1));
    let nested = arrays_and_tables(|conditions| {
        conditions.any(&[(), ()], |(), conditions| {
            tagged(conditions);
        });
        conditions.not(|conditions| {
            conditions.not(|conditions| {
                tagged(conditions);
            });
            tagged(conditions);
        });
        tagged(conditions);
    });
    assert_eq!(nested, (1, 4));
}
