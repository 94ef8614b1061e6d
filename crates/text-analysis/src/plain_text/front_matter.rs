//! Front matter: settings at the start of a note, in YAML between lines of `---`, or in TOML between lines of `+++`.

/// The length of the front matter and of the byte order mark before it, in bytes.
///
/// A note may also start with a thematic break, so the first line must look like a setting or a comment.
pub(super) fn length(markdown: &str) -> usize {
    let note = markdown.trim_start_matches('\u{feff}');
    let mark = markdown.len() - note.len();
    let mut lines = note.split_inclusive('\n');
    let opening = lines.next().unwrap_or_default();
    let (sign, closings) = match opening.trim_end() {
        "---" => (':', &["---", "..."][..]),
        "+++" => ('=', &["+++"][..]),
        _ => return mark,
    };
    let mut length = mark + opening.len();
    for (number, line) in lines.enumerate() {
        length += line.len();
        if number == 0 && !line.contains(sign) && !line.starts_with('#') {
            return mark;
        }
        if closings.contains(&line.trim_end()) {
            return length;
        }
    }
    mark
}
