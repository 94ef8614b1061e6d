//! What may be logged of a panic.
//!
//! A panic's message can contain texts of users: `&text[1..2]` quotes the text if a letter begins before byte 1, and `expect` writes the
//! error that it found. So only constant messages are logged, and the beginnings of the standard library's own messages, whose
//! arguments are numbers. The place of the panic says the rest.

use std::{any::Any, borrow::Cow};

use tokio::task::JoinError;

/// Beginnings of the standard library's formatted messages. `#` stands for a number. What follows may be a user's text.
const BEGINNINGS: [&str; 12] = [
    "index out of bounds: the len is # but the index is #",
    "range start index # out of range for slice of length #",
    "range end index # out of range for slice of length #",
    "slice index starts at # but ends at #",
    "byte index # is not a char boundary",
    "start byte index # is not a char boundary",
    "end byte index # is not a char boundary",
    "byte index # is out of bounds",
    "start byte index # is out of bounds",
    "end byte index # is out of bounds",
    "called `Result::unwrap()` on an `Err` value",
    "assertion `left == right` failed",
];

/// The message of a panic, without what may be a user's text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Cow<'static, str> {
    if let Some(constant) = payload.downcast_ref::<&'static str>() {
        return Cow::Borrowed(*constant);
    }
    let formatted = payload.downcast_ref::<String>();
    let known =
        formatted.and_then(|message| BEGINNINGS.iter().find_map(|known| of(known, message)));
    known.map_or(
        Cow::Borrowed("its message is not logged, because it may contain texts of users"),
        Cow::Owned,
    )
}

/// Why a task failed: the message of its panic, as [`message`].
pub(crate) fn of_task(error: JoinError) -> Cow<'static, str> {
    match error.try_into_panic() {
        Ok(payload) => message(&*payload),
        Err(_) => Cow::Borrowed("it was canceled"),
    }
}

/// The beginning of a message, if it is this one.
fn of(beginning: &str, message: &str) -> Option<String> {
    let mut rest = message;
    for (index, part) in beginning.split('#').enumerate() {
        if index > 0 {
            let after = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            rest = (after.len() < rest.len()).then_some(after)?;
        }
        rest = rest.strip_prefix(part)?;
    }
    Some(message[..message.len() - rest.len()].to_owned())
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, panic::catch_unwind};

    use super::*;

    fn of_panic(work: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = catch_unwind(work).expect_err("it panics");
        message(&*payload).into_owned()
    }

    #[test]
    fn texts_of_users_are_left_out() {
        let text = black_box("é hush");
        let error: Result<(), String> = Err("hush".to_owned());
        let (number, bytes) = (black_box(7), black_box([1, 2, 3]));
        for (logged, expected) in [
            (
                of_panic(|| _ = black_box(&text[1..])),
                "start byte index 1 is not a char boundary",
            ),
            (
                of_panic(|| _ = black_box(&text[..99])),
                "end byte index 99 is out of bounds",
            ),
            (
                of_panic(move || assert_eq!(error, Ok(()))),
                "assertion `left == right` failed",
            ),
            (
                of_panic(|| panic!("the title is {text}")),
                "its message is not logged",
            ),
            (of_panic(|| panic!("a constant")), "a constant"),
            (
                of_panic(|| _ = black_box(bytes[number])),
                "index out of bounds: the len is 3 but the index is 7",
            ),
            (
                of_panic(|| _ = black_box(&bytes[..number])),
                "range end index 7 out of range for slice of length 3",
            ),
            (
                of_panic(|| std::panic::panic_any(7)),
                "its message is not logged",
            ),
        ] {
            assert!(logged.starts_with(expected), "{logged}: {expected}");
            assert!(!logged.contains("hush"), "{logged}");
        }
    }
}
