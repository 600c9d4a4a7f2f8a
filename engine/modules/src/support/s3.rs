//! Object stores that speak S3: signed requests through the client of `http`.

pub(crate) mod parts;

use std::path::Path;
use std::time::Duration as Std;

use jiff::Timestamp;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Method, Url};
use runbook_core::module::{Cx, Fault, HandArgs, Need, Resource, Touches, hand_word};
use runbook_core::value::{Duration, Size, Time};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::http_client::{Answer, Call, put, send, streaming};
use super::net::{self, Failure};
use super::tls::Trust;

/// Where an object store is and with which keys it is opened.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// The URL of the store, such as `http://127.0.0.1:9000` for MinIO. Default: Amazon's of the region.
    #[serde(default)]
    #[schemars(extend("format" = "uri"))]
    pub(crate) endpoint: Option<String>,
    /// The region. Default: the environment's `AWS_REGION`, or `us-east-1`.
    #[serde(default)]
    region: Option<String>,
    /// Whether the bucket's name is in the path and not in the host name. Default: true if `endpoint` is given.
    #[serde(default)]
    path_style: Option<bool>,
    /// The id of the key; give a secret param. Default: the environment's `AWS_ACCESS_KEY_ID`.
    #[serde(default)]
    access_key: Option<String>,
    /// The key itself; give a secret param. Default: the environment's `AWS_SECRET_ACCESS_KEY`.
    #[serde(default)]
    secret_key: Option<String>,
    /// The token of a key that is for a while only; give a secret param. Default: the environment's `AWS_SESSION_TOKEN`, if its key is used.
    #[serde(default)]
    session_token: Option<String>,
    /// Whether to ask without a key, as for a public bucket. Default: false.
    #[serde(default)]
    anonymous: bool,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Object {
    /// Its key, with all slashes.
    pub(crate) key: String,
    /// Its size.
    pub(crate) size: Size,
    /// When it was last written; null if the store does not say.
    pub(crate) modified: Option<Time>,
    /// How long ago that was; null if the store does not say.
    pub(crate) age: Option<Duration>,
    /// What the store calls this version of its content; null if it does not say.
    pub(crate) etag: Option<String>,
}

/// What is known of one object.
pub(crate) struct Head {
    pub(crate) object: Object,
    pub(crate) content_type: Option<String>,
    /// The SHA-256 that was noted when it was put there, in hexadecimal.
    pub(crate) sha256: Option<String>,
}

/// All objects below a prefix.
pub(crate) struct Listing {
    pub(crate) objects: Vec<Object>,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
}

/// Signed URLs are good for so long; a request is made at once.
const SIGNED_FOR: Std = Std::from_secs(900);
/// The header in which the SHA-256 of an object is noted.
const NOTED: &str = "x-amz-meta-sha256";

/// An open bucket.
pub(crate) struct S3 {
    bucket: Bucket,
    credentials: Option<Credentials>,
    trust: Trust,
    timeout: Std,
}

fn endpoint(store: &Store, region: &str) -> Result<Url, Fault> {
    let text = store.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let url = super::http_client::parse_url(&text).map_err(|f| Fault::invalid("store", f.message()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::invalid("store", "the keys belong into `access_key` and `secret_key`, not into the URL"));
    }
    Ok(url)
}

fn style(store: &Store) -> UrlStyle {
    if store.path_style.unwrap_or(store.endpoint.is_some()) { UrlStyle::Path } else { UrlStyle::VirtualHost }
}

fn bucket(store: &Store, name: &str, region: String) -> Result<Bucket, Fault> {
    let well = (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'));
    if !well {
        return Err(Fault::invalid("bucket", format!("{name:?} is not the name of a bucket: 3 to 63 of a-z, 0-9, `-` and `.`")));
    }
    let url = endpoint(store, &region)?;
    Bucket::new(url, style(store), name.to_owned(), region).map_err(|e| Fault::invalid("store", e.to_string()))
}

/// Finds what is wrong with the arguments of a store.
pub(crate) fn check(store: &Store, name: &str) -> Result<(), Fault> {
    let given = [store.access_key.is_some(), store.secret_key.is_some()];
    if given[0] != given[1] {
        return Err(Fault::invalid("store", "`access_key` and `secret_key` go together"));
    }
    if store.anonymous && given[0] {
        return Err(Fault::invalid("store", "give either keys or `anonymous: true`"));
    }
    bucket(store, name, "us-east-1".to_owned()).map(drop)
}

/// Finds what is wrong with a key.
pub(crate) fn check_key(argument: &str, key: &str) -> Result<(), Fault> {
    match key.is_empty() || key.len() > 1024 || key.starts_with('/') || key.chars().any(char::is_control) {
        true => Err(Fault::invalid(argument, format!("{key:?} is not a key such as `backups/20260215/db.sql.gz`"))),
        false => Ok(()),
    }
}

/// What a bucket is called among the things that steps touch.
pub(crate) fn resource(store: &Store, name: &str) -> Resource {
    Resource::new("bucket", format!("{}/{name}", store.endpoint.as_deref().unwrap_or("s3")))
}

/// That a store is asked.
pub(crate) fn needing(touches: Touches, store: &Store) -> Touches {
    let at = endpoint(store, store.region.as_deref().unwrap_or("us-east-1"));
    match at.ok().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?))) {
        Some((host, port)) => touches.needing(Need::Net { host, port }),
        None => touches,
    }
}

impl S3 {
    /// Opens a bucket.
    pub(crate) fn open(cx: &Cx<'_>, store: &Store, name: &str, timeout: Option<Duration>) -> Result<S3, Fault> {
        check(store, name)?;
        let env = |name: &str| cx.env(name).filter(|v| !v.is_empty());
        let region = store.region.clone().or_else(|| env("AWS_REGION")).or_else(|| env("AWS_DEFAULT_REGION"));
        let credentials = match (&store.access_key, &store.secret_key) {
            _ if store.anonymous => None,
            (Some(key), Some(secret)) => match &store.session_token {
                Some(token) => Some(Credentials::new_with_token(key.as_str(), secret.as_str(), token.as_str())),
                None => Some(Credentials::new(key.as_str(), secret.as_str())),
            },
            _ => match (env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN")) {
                (Some(key), Some(secret), Some(token)) => Some(Credentials::new_with_token(key, secret, token)),
                (Some(key), Some(secret), None) => Some(Credentials::new(key, secret)),
                _ => {
                    let next = "give `store.access_key` and `store.secret_key`, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or say `anonymous: true`";
                    return Err(Fault::cannot_tell(format!("there is no key to the object store: {next}")));
                }
            },
        };
        Ok(S3 {
            bucket: bucket(store, name, region.unwrap_or_else(|| "us-east-1".to_owned()))?,
            credentials,
            trust: Trust::of(cx, false, store.ca_file.as_deref(), None, None),
            timeout: net::shorter(timeout.map_or(Std::from_secs(30), Duration::to_std), cx.timeout),
        })
    }

    async fn ask(&self, cx: &Cx<'_>, method: Method, url: Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Fault> {
        let call = Call {
            method,
            url,
            headers,
            body,
            timeout: self.timeout,
            follow_redirects: 0,
            trust: self.trust.clone(),
            unix_socket: None,
            resolve: None,
            max_body: 64 << 20,
            repeatable: true,
        };
        let (answer, result) = send(cx.shared(), call).await;
        result.map_err(|failure| failure.into_fault(()))?;
        Ok(answer)
    }

    /// All objects below a prefix, as many as are asked for at the most.
    pub(crate) async fn list(&self, cx: &Cx<'_>, prefix: &str, most: usize) -> Result<Listing, Fault> {
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut action = ListObjectsV2::new(&self.bucket, self.credentials.as_ref());
            if !prefix.is_empty() {
                action.with_prefix(prefix.to_owned());
            }
            action.with_max_keys((most - objects.len()).saturating_add(1).min(1000));
            if let Some(token) = token.take() {
                action.with_continuation_token(token);
            }
            let answer = self.ask(cx, Method::GET, action.sign(SIGNED_FOR), HeaderMap::new(), Vec::new()).await?;
            if answer.status != Some(200) {
                return Err(refused(&answer, self.bucket.name()));
            }
            let text = String::from_utf8_lossy(&answer.body);
            let page = ListObjectsV2::parse_response(&text)
                .map_err(|e| Fault::unmet(format!("the answer is not a list of objects: {e}")))?;
            let now = cx.now();
            let some = page.contents.into_iter().map(|o| {
                let modified = o.last_modified.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
                object(o.key, o.size.unwrap_or_default(), modified, o.etag, now)
            });
            objects.extend(some);
            if objects.len() > most {
                objects.truncate(most);
                return Ok(Listing { objects, more: true });
            }
            match page.next_continuation_token {
                None => return Ok(Listing { objects, more: false }),
                next => token = next,
            }
            cx.progress(&format!("{} objects listed", objects.len()));
        }
    }

    /// What is known of one object; `None` if it is not there.
    pub(crate) async fn head(&self, cx: &Cx<'_>, key: &str) -> Result<Option<Head>, Fault> {
        let url = self.bucket.head_object(self.credentials.as_ref(), key).sign(SIGNED_FOR);
        let answer = self.ask(cx, Method::HEAD, url, HeaderMap::new(), Vec::new()).await?;
        match answer.status {
            Some(200) => {}
            // A HEAD has no body, so that a bucket that is not there looks the same.
            Some(404) => return Ok(None),
            _ => return Err(refused(&answer, self.bucket.name())),
        }
        let header = |name: &str| answer.headers.get(name).cloned();
        let modified = header("last-modified").and_then(|t| jiff::fmt::rfc2822::parse(&t).ok()).map(|z| z.timestamp());
        let size = header("content-length").and_then(|n| n.parse().ok()).unwrap_or_default();
        Ok(Some(Head {
            object: object(key.to_owned(), size, modified, header("etag"), cx.now()),
            content_type: header("content-type"),
            sha256: header(NOTED).filter(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit())),
        }))
    }

    /// Puts a file there, with its SHA-256 noted.
    pub(crate) async fn put(
        &self,
        cx: &Cx<'_>,
        key: &str,
        from: &Path,
        size: u64,
        sha256: &str,
        kind: &str,
    ) -> Result<(), Fault> {
        let mut action = self.bucket.put_object(self.credentials.as_ref(), key);
        action.headers_mut().insert(NOTED, sha256.to_owned());
        let mut headers = HeaderMap::new();
        put(&mut headers, NOTED, sha256, false)?;
        put(&mut headers, "content-type", kind, false)?;
        put(&mut headers, CONTENT_LENGTH.as_str(), &size.to_string(), false)?;
        let file = tokio::fs::File::open(from).await.map_err(|e| super::paths::fault(from, &e))?;
        let request = streaming(cx.shared(), Method::PUT, action.sign(SIGNED_FOR), &self.trust)
            .map_err(|f| f.into_fault(()))?
            .headers(headers);
        // An empty body that comes in pieces would be sent without its length.
        let request = if size == 0 { request.body(Vec::new()) } else { request.body(file) };
        let response = self.within(cx, request.send()).await?;
        if !response.status().is_success() {
            return Err(refused_with(response, self.bucket.name()).await);
        }
        Ok(())
    }

    /// The content, as it comes.
    pub(crate) async fn get(&self, cx: &Cx<'_>, key: &str) -> Result<reqwest::Response, Fault> {
        let url = self.bucket.get_object(self.credentials.as_ref(), key).sign(SIGNED_FOR);
        let request = streaming(cx.shared(), Method::GET, url, &self.trust).map_err(|f| f.into_fault(()))?;
        let response = self.within(cx, request.send()).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refused_with(response, self.bucket.name()).await),
        }
    }

    /// Removes an object.
    pub(crate) async fn delete(&self, cx: &Cx<'_>, key: &str) -> Result<(), Fault> {
        let url = self.bucket.delete_object(self.credentials.as_ref(), key).sign(SIGNED_FOR);
        let answer = self.ask(cx, Method::DELETE, url, HeaderMap::new(), Vec::new()).await?;
        match answer.status {
            Some(200..=299) => Ok(()),
            _ => Err(refused(&answer, self.bucket.name())),
        }
    }

    /// A transfer may take as long as the step may; without a limit of the step, an hour.
    async fn within<T>(&self, cx: &Cx<'_>, work: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, Fault> {
        let limit = cx.timeout.unwrap_or(Std::from_secs(3600));
        match tokio::time::timeout(limit, work).await {
            Ok(done) => done.map_err(|e| failed(&e)),
            Err(_) => Err(net::timed_out(limit).into_fault(())),
        }
    }
}

/// What a broken transfer means; the URL, which is signed, is not in it.
pub(crate) fn failed(error: &reqwest::Error) -> Fault {
    let (io, text) = net::innermost(error);
    let failure = match io {
        Some(io) => match super::tls::inside(io) {
            Some(error) => super::tls::failure(error),
            None => net::of_io(io, "the object store"),
        },
        None => Failure::Answer(format!("the transfer broke off: {text}")),
    };
    failure.into_fault(())
}

fn object(key: String, size: u64, modified: Option<Timestamp>, etag: Option<String>, now: Timestamp) -> Object {
    let age = modified.map(|m| net::rounded(Std::try_from(now.duration_since(m)).unwrap_or_default()));
    let etag = etag.map(|e| e.trim_matches('"').to_owned());
    Object { key, size: Size(size), modified: modified.map(Time), age, etag }
}

fn refused(answer: &Answer, bucket: &str) -> Fault {
    let status = answer.status.unwrap_or_default();
    said(status, &String::from_utf8_lossy(&answer.body), bucket)
}

async fn refused_with(response: reqwest::Response, bucket: &str) -> Fault {
    let status = response.status().as_u16();
    said(status, &response.text().await.unwrap_or_default(), bucket)
}

/// What a store says in its own words.
fn said(status: u16, body: &str, bucket: &str) -> Fault {
    let inside = |tag: &str| {
        let (_, rest) = body.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>"))
            .map(|(text, _)| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
    };
    match (inside("Code").as_deref(), inside("Message")) {
        (Some("NoSuchBucket"), _) => Fault::unmet(format!("there is no bucket `{bucket}`")),
        (Some("NoSuchKey"), _) => Fault::unmet("there is no such object"),
        (Some(code), Some(message)) => Fault::unmet(format!("the object store answered {status}: {code}: {message}")),
        (Some(code), None) => Fault::unmet(format!("the object store answered {status}: {code}")),
        (None, _) => Fault::unmet(format!("the object store answered {status}")),
    }
}

/// `aws s3` with what a store needs: its keys as variables of the shell, the rest as options.
pub(crate) fn by_hand(args: &HandArgs<'_>, command: &str) -> String {
    let store = args.inside("store");
    let mut line = String::new();
    for (name, variable) in
        [("access_key", "AWS_ACCESS_KEY_ID"), ("secret_key", "AWS_SECRET_ACCESS_KEY"), ("session_token", "AWS_SESSION_TOKEN")]
    {
        if let Some(value) = store.text(name) {
            line += &format!("{variable}={} ", hand_word(&value));
        }
    }
    line += "aws";
    for (name, option) in [("endpoint", "--endpoint-url"), ("region", "--region"), ("ca_file", "--ca-bundle")] {
        if let Some(value) = store.text(name) {
            line += &format!(" {option} {}", hand_word(&value));
        }
    }
    if store.flag("anonymous", false) {
        line += " --no-sign-request";
    }
    format!("{line} {command}")
}

/// `s3://bucket/key` as a word.
pub(crate) fn url_word(args: &HandArgs<'_>, key: &str) -> String {
    hand_word(&format!("s3://{}/{key}", args.or("bucket", "<bucket>")))
}
