//! How a person does with Docker Compose what a module does.

use runbook_core::module::{HandArgs, hand_line, hand_word};

use super::by_hand::path_word;

/// A line that tells Compose something, in the project's folder.
pub(crate) fn hand_compose(args: &HandArgs<'_>, rest: &str) -> String {
    let files: String = args.list("file").iter().map(|f| format!(" -f {}", path_word(f))).collect();
    let name = args.text("project_name").map(|n| format!(" -p {}", hand_word(&n))).unwrap_or_default();
    let line = format!("docker compose{files}{name} {rest}");
    match args.text("project") {
        Some(folder) => format!("( cd {} && {line} )", path_word(&folder)),
        None => line,
    }
}

/// The services of a call as the last words of a line, with a space before them.
pub(crate) fn services(args: &HandArgs<'_>) -> String {
    let services = args.list("service");
    if services.is_empty() { String::new() } else { format!(" {}", hand_line(&services)) }
}
