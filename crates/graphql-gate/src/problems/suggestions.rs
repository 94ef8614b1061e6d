//! Names that are similar to a misspelled one, by the distance that graphql-js allows.

/// Maximum suggested names.
const MAX_SUGGESTIONS: usize = 3;

/// ` Did you mean …?` with the most similar names in backticks, or an empty text if none is similar. `sigil` precedes each
/// name, such as `$`.
pub(crate) fn did_you_mean<'a>(
    sigil: &str,
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let names = similar(wrong, known).into_iter();
    or(names.map(|name| format!("`{sigil}{name}`")).collect())
}

/// The names that are most similar to a misspelled one.
pub(crate) fn similar<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut similar: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|name| *name != wrong)
        .filter_map(|name| Some((distance(wrong, name)?, name)))
        .collect();
    similar.sort_unstable();
    similar.dedup();
    // Much less similar names are noise: `frist` is `first`, not `last`.
    let best = similar.first().map_or(0, |(distance, _)| *distance);
    similar.retain(|(distance, _)| *distance <= best + 1);
    let names = similar.into_iter().take(MAX_SUGGESTIONS);
    names.map(|(_, name)| name).collect()
}

/// ` Did you mean …?` with these texts, or an empty text.
pub(super) fn or(mut texts: Vec<String>) -> String {
    match texts.pop() {
        None => String::new(),
        Some(only) if texts.is_empty() => format!(" Did you mean {only}?"),
        Some(last) => format!(" Did you mean {} or {last}?", texts.join(", ")),
    }
}

/// The number of edits between two names. None if they are not similar. Names that differ only in case have a distance of 1.
fn distance(wrong: &str, name: &str) -> Option<usize> {
    let max = wrong.len() * 2 / 5 + 1;
    // The distance is at least the difference in length, and computing it for a long text would be expensive.
    if wrong.len().abs_diff(name.len()) > max {
        return None;
    }
    let (wrong, name) = (wrong.to_ascii_lowercase(), name.to_ascii_lowercase());
    if wrong == name {
        return Some(1);
    }
    let distance = strsim::osa_distance(&wrong, &name);
    (distance <= max).then_some(distance)
}
