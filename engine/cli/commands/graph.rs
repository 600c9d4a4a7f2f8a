//! `runbook graph NAME`, which is `runbook tree NAME` too.

use std::path::Path;

use runbook_core::exit::Exit;
use runbook_report::picture::{MOST_CHARACTERS, MOST_EDGES, Picture};

use super::complain;
use super::reading::{Reading, put};
use crate::args::{Graph, GraphFormat};
use crate::context::Context;

pub(crate) fn graph(context: &Context, args: &Graph) -> Exit {
    let format = match format(context, args) {
        Ok(format) => format,
        Err(exit) => return exit,
    };
    let reading = match Reading::of(context, &args.name, args.profile.as_deref(), &args.param) {
        Ok(reading) => reading,
        Err(exit) => return exit,
    };
    let picture = Picture::of(&reading.plan, &reading.registry, &reading.known());
    let picture = match picture.cut(args.root.as_deref(), args.depth.map(usize::from)) {
        Ok(picture) => picture,
        Err(none) => {
            let id = args.root.as_deref().unwrap_or_default();
            let help = match none.nearest {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`runbook graph {} --format json` lists the ids", args.name),
            };
            complain(context, &format!("`{}` has no step or question `{id}`", args.name), Some(&help));
            return Exit::Usage;
        }
    };
    let file = args.output.as_deref();
    let text = match format {
        GraphFormat::Text if is_file(file) => picture.text(&runbook_report::TermPolicy::text(100, context.out.unicode)),
        GraphFormat::Text => picture.text(&context.out),
        GraphFormat::Mermaid => mermaid(context, &picture),
        GraphFormat::Dot => picture.dot(),
        GraphFormat::Svg => match picture.svg() {
            Ok(svg) => svg,
            Err(large) => {
                let message = format!("{} nodes and {} edges are too many for a picture", large.nodes, large.edges);
                complain(context, &message, Some("draw a part with --depth N or --root ID, or use --format dot"));
                return Exit::Invalid;
            }
        },
        GraphFormat::Json => picture.json(),
    };
    put(context, file, &text)
}

fn is_file(file: Option<&Path>) -> bool {
    file.is_some_and(|f| f != Path::new("-"))
}

/// The format: as said, else by the ending of the file, else text.
fn format(context: &Context, args: &Graph) -> Result<GraphFormat, Exit> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    if context.common.json {
        return Ok(GraphFormat::Json);
    }
    let Some(ending) = args.output.as_deref().filter(|f| is_file(Some(f))).and_then(Path::extension) else {
        return Ok(GraphFormat::Text);
    };
    Ok(match ending.to_str().unwrap_or_default() {
        "svg" => GraphFormat::Svg,
        "mmd" | "mermaid" => GraphFormat::Mermaid,
        "dot" | "gv" => GraphFormat::Dot,
        "json" => GraphFormat::Json,
        "txt" | "text" => GraphFormat::Text,
        other => {
            let message = format!("no format is known by the ending `.{other}`");
            complain(context, &message, Some("say which with --format text, mermaid, dot, svg or json"));
            return Err(Exit::Usage);
        }
    })
}

/// As Mermaid, with a warning if a page would refuse to draw it.
fn mermaid(context: &Context, picture: &Picture) -> String {
    let text = picture.mermaid();
    let (edges, characters) = (picture.edges.len(), text.chars().count());
    if edges > MOST_EDGES || characters > MOST_CHARACTERS {
        let message = format!(
            "warning: {edges} edges and {characters} characters; Mermaid draws at most {MOST_EDGES} and {MOST_CHARACTERS} unless the page allows more\n  help: draw a part with --depth N or --root ID, or use --format svg or dot\n"
        );
        if !context.common.quiet {
            let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), message.as_bytes());
        }
    }
    text
}
