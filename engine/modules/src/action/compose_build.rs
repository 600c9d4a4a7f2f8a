//! `compose.build`: build the images of services of a Docker Compose project.

use std::collections::BTreeMap;

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::support::args::OneOrMany;
use crate::support::docker::ask;
use crate::support::docker::compose::{Project, compose_args, touched};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct ComposeBuild;

compose_args! {
    /// Builds the images of services of a Docker Compose project.
    ///
    /// Nothing that runs is touched: `compose.up` with the service's name then replaces the container by one of the new image. Whether an
    /// image is another than before is told by its id, so building the same again is unchanged.
    struct Args {
        /// A service, or several. Default: all that the file says how to build.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// Whether to build every layer anew. Default: false.
        #[serde(default)]
        no_cache: bool,
        /// Whether to fetch newer versions of the images that are built upon. Default: false.
        #[serde(default)]
        pull: bool,
    }
}

/// What was built.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The folder of the project.
    project: String,
    /// The services whose images were built.
    services: Vec<String>,
    /// Each service with the id of its image now; null where the name of its image is not known.
    images: BTreeMap<String, Option<String>>,
    /// The services whose image is another than before.
    new: Vec<String>,
    /// The last 40 lines that the build wrote.
    log_tail: Vec<String>,
}

/// The services that are built, each with the name of its image if that is known.
async fn built(project: &Project, wanted: &[String], cx: &Cx<'_>) -> Result<BTreeMap<String, Option<String>>, Fault> {
    let declared = project.look(wanted, cx).await?.services;
    let config = project.config(cx).await?;
    let mut out = BTreeMap::new();
    for service in declared {
        let entry: &Json = &config["services"][&service];
        if entry["build"].is_null() {
            if wanted.contains(&service) {
                return Err(Fault::refused(format!("the file does not say how to build `{service}`: it has no `build`")));
            }
            continue;
        }
        let named = entry["image"].as_str().map(str::to_owned);
        // The plugin's `config` has the project's name; without it only containers tell what their image is called.
        let by_project = config["name"].as_str().map(|name| format!("{name}-{service}"));
        let by_container = project.containers(std::slice::from_ref(&service), cx).await?.into_iter().find_map(|c| c.image);
        out.insert(service, named.or(by_project).or(by_container));
    }
    if out.is_empty() {
        return Err(Fault::refused("the file says of no service how to build it: none has `build`"));
    }
    Ok(out)
}

/// The ids of images by name.
async fn ids(images: &BTreeMap<String, Option<String>>, cx: &Cx<'_>) -> Result<BTreeMap<String, Option<String>>, Fault> {
    let mut out = BTreeMap::new();
    for (service, image) in images {
        let id = match image {
            Some(image) => {
                let said = ask(&["image", "inspect", "--format", "{{.Id}}", "--", image], cx).await?;
                said.good().then(|| said.out.trim().to_owned())
            }
            None => None,
        };
        out.insert(service.clone(), id);
    }
    Ok(out)
}

impl Args {
    fn words(&self, project: &Project) -> Vec<String> {
        let mut words = vec!["build".to_owned()];
        let flags = [("--force-rm", project.leaves_containers()), ("--no-cache", self.no_cache), ("--pull", self.pull)];
        words.extend(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).to_owned()));
        words.extend(self.service.clone().unwrap_or_default().0);
        words
    }
}

impl Action for ComposeBuild {
    const NAME: &'static str = "compose.build";
    const MAIN: Option<&'static str> = Some("service");
    const SAYS: &'static str = "{{ new | length }} of {{ services | length }} images are new";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Build the image of one service", yaml: "compose.build: gateway-api\n", runs: false },
        Example {
            title: "Build everything anew",
            yaml: "compose.build: { no_cache: true, pull: true }\ntimeout: 20m\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let flag = |name: &str, word: &str| if args.flag(name, false) { format!(" {word}") } else { String::new() };
        let flags = flag("no_cache", "--no-cache") + &flag("pull", "--pull");
        ByHand::run(hand_compose(args, &format!("build{flags}{}", services(args))))
            .note("What runs keeps its old image until `docker compose up -d` with the service's name.")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touched(&args.service.clone().unwrap_or_default().0, true)
    }

    // Building anew what no cache holds gives another image.
    fn idempotent(args: &Args) -> bool {
        !args.no_cache && !args.pull
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let images = built(&project, &args.service.clone().unwrap_or_default().0, cx).await?;
        let names: Vec<&str> = images.keys().map(String::as_str).collect();
        let words = args.words(&project);
        let argv = project.argv(&words);
        let because = "whether the images become others, only building them tells";
        Ok(Forecast { argv, ..Forecast::would(format!("build {}", names.join(", ")), because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let wanted = args.service.clone().unwrap_or_default().0;
        let images = built(&project, &wanted, cx).await?;
        let before = ids(&images, cx).await?;
        let words = args.words(&project);
        let said = project.tell(&words, cx).await?;
        // An image without a name that was known before has one now, if the service has a container.
        let after = ids(&images, cx).await?;
        let new: Vec<String> = images.keys().filter(|s| after[*s].is_none() || before[*s] != after[*s]).cloned().collect();
        let lines: Vec<&str> = said.out.lines().chain(said.err.lines()).collect();
        let log_tail = lines[lines.len().saturating_sub(40)..].iter().map(|l| (*l).to_owned()).collect();
        let out = Out { project: project.folder(), services: images.into_keys().collect(), images: after, new, log_tail };
        Ok(if out.new.is_empty() { Done::unchanged(out) } else { Done::changed(out) })
    }
}
