//! The look of a picture: light, dark, and on paper.

/// The colours of what is drawn in one way: class, fill, border, text.
type Colors = (&'static str, &'static str, &'static str);

const LIGHT: &[Colors] = &[
    ("read", "#eef2f7", "#5b6b7f"),
    ("change", "#fff3d6", "#9a6700"),
    ("destroy", "#ffe3e0", "#b3261e"),
    ("person", "#efe7fb", "#6b4fa0"),
    ("fail", "#ffe3e0", "#b3261e"),
    ("stop", "#e3f4e6", "#2e7d43"),
    ("question", "#e3eefc", "#2f66b3"),
    ("info", "#e3f4e6", "#2e7d43"),
    ("warning", "#fff3d6", "#9a6700"),
    ("critical", "#ffe3e0", "#b3261e"),
    ("group", "#f8fafc", "#8a97a8"),
];

const DARK: &[Colors] = &[
    ("read", "#222b36", "#8797ab"),
    ("change", "#3b2f10", "#d9a441"),
    ("destroy", "#47201f", "#ff8a80"),
    ("person", "#2e2442", "#b79cf0"),
    ("fail", "#47201f", "#ff8a80"),
    ("stop", "#17351f", "#74c98a"),
    ("question", "#152c4c", "#7fb1ff"),
    ("info", "#17351f", "#74c98a"),
    ("warning", "#3b2f10", "#d9a441"),
    ("critical", "#47201f", "#ff8a80"),
    ("group", "#1a212b", "#66748a"),
];

/// What does not depend on light or dark. Every class begins with `rb-`, since styles of a picture in a page reach the whole page.
const SHAPES: &str = "\
.rb{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}
.rb-code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
.rb-label,.rb-title,.rb-answer{font-weight:600}
.rb-line{fill:none;stroke-width:1.6}
.rb-broken{stroke-dasharray:5 4}
.rb-box{stroke-width:1.4}
.rb-destroy,.rb-critical{stroke-width:2.6}
.rb-group{stroke-dasharray:4 3}
.rb-play{stroke-width:1.4;fill:none}
";

fn theme(colors: &[Colors], page: &str, text: &str, dim: &str, line: &str) -> String {
    let mut out = format!(
        ".rb-page{{fill:{page}}}.rb-label,.rb-title,.rb-code{{fill:{text}}}.rb-note,.rb-word{{fill:{dim}}}.rb-answer{{fill:{text}}}.rb-line{{stroke:{line}}}.rb-arrow{{fill:{line}}}\n"
    );
    for (class, fill, border) in colors {
        out.push_str(&format!(".rb-{class}{{fill:{fill};stroke:{border}}}"));
    }
    out.push('\n');
    out
}

/// The style sheet.
pub(super) fn sheet() -> String {
    let light = theme(LIGHT, "#ffffff", "#17202b", "#4a5665", "#5d6a7a");
    let dark = theme(DARK, "#10151c", "#e8edf4", "#b3bfcd", "#9aa8ba");
    format!("{light}{SHAPES}@media (prefers-color-scheme:dark){{\n{dark}}}\n@media print{{\n{light}}}\n")
}
