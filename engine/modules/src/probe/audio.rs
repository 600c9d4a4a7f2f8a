//! `audio`: the sound devices of this machine.

use std::path::Path;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) struct Audio;

/// Lists the sound devices of this machine that can record or play.
///
/// It reads what the kernel's sound system (ALSA) says in `/proc/asound/pcm`. Without `expect` the step is ok if there is a device that can
/// record. A machine without a sound system has no devices. Whether a program may use a device, and whether somebody speaks into it, it
/// does not say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file that lists the devices. Default: `/proc/asound/pcm`.
    #[serde(default = "pcm")]
    path: String,
}

fn pcm() -> String {
    "/proc/asound/pcm".to_owned()
}

/// The devices.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// How many devices can record.
    capture: u64,
    /// How many can play.
    playback: u64,
    /// All of them.
    devices: Vec<Device>,
}

/// A device.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Device {
    /// The number of its card.
    card: u32,
    /// Its number on the card.
    device: u32,
    /// Its name.
    name: String,
    /// Whether it can record.
    capture: bool,
    /// Whether it can play.
    playback: bool,
}

/// Lines such as `00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1`.
fn read(text: &str) -> Out {
    let mut out = Out::default();
    for line in text.lines() {
        let mut parts = line.split(": ").map(str::trim);
        let Some((card, device)) = parts.next().and_then(|p| p.trim_end_matches(':').split_once('-')) else { continue };
        let (Ok(card), Ok(device)) = (card.parse(), device.parse()) else { continue };
        let names: Vec<&str> = parts.by_ref().take(2).map(|n| n.trim_end_matches(" :").trim()).collect();
        let name = names.iter().find(|n| !n.is_empty()).copied().unwrap_or_default().to_owned();
        let has = |what: &str| line.rsplit(": ").any(|p| p.trim().starts_with(what));
        let (capture, playback) = (has("capture "), has("playback "));
        out.capture += u64::from(capture);
        out.playback += u64::from(playback);
        out.devices.push(Device { card, device, name, capture, playback });
    }
    out
}

impl Probe for Audio {
    const NAME: &'static str = "audio";
    const VERDICT: &'static str = "capture > 0";
    const SAYS: &'static str = "{{ capture }} to record, {{ playback }} to play";
    const COLUMNS: &'static [&'static str] = &["capture"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "There is a microphone", yaml: "audio: {}\n", runs: false },
        Example { title: "How many there are, be it none", yaml: "audio: {}\nexpect: capture >= 0\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(_: &HandArgs<'_>) -> ByHand {
        ByHand::run("cat /proc/asound/pcm")
            .expect("a line with `capture`; if there is no such file, this machine has no sound system")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([Resource::file(&args.path)])
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = cx.resolve(&args.path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(read(&text)),
            Err(e)
                if e.kind() == std::io::ErrorKind::NotFound && path.starts_with("/proc") && Path::new("/proc/self").exists() =>
            {
                Ok(Out::default())
            }
            Err(e) => Err(Fault::cannot_tell(format!("{} cannot be read: {e}", path.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn devices_are_listed() {
        let host = TestHost::new();
        host.write("pcm", "00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1\n00-03: HDMI 0 : HDMI 0 : playback 1\n01-00: USB Audio : USB Audio : capture 1\nnonsense\n");
        let out = Audio::observe(&args(json!({ "path": "pcm" })), &host.cx()).await.unwrap();
        assert_eq!((out.capture, out.playback, out.devices.len()), (2, 2, 3));
        assert_eq!(out.devices[0], Device { card: 0, device: 0, name: "ALC257 Analog".into(), capture: true, playback: true });
        assert_eq!((out.devices[2].card, out.devices[2].playback), (1, false));
    }

    #[tokio::test]
    async fn no_sound_system_is_no_device_and_an_unreadable_list_is_something_else() {
        let host = TestHost::new();
        let out = Audio::observe(&args(json!({ "path": "/proc/no-such-file" })), &host.cx()).await.unwrap();
        assert_eq!(out, Out::default());
        for bad in ["gone", "."] {
            let fault = Audio::observe(&args(json!({ "path": bad })), &host.cx()).await.unwrap_err();
            assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
        }
    }
}
