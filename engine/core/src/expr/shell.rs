//! Quoting for the POSIX shell.

/// Quotes a text so that a POSIX shell reads it as one word.
///
/// Words of letters, digits and `_@%+=:,./-` stay bare, as in Python's `shlex.quote`.
pub fn shell_quote(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}
