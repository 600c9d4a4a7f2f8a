//! What Redis' commands do, as far as a runbook must know before it sends one.

use runbook_core::module::{Effect, Fault};

/// Those that only look and answer at once.
const LOOKS: &[&str] = &[
    "ACL CAT",
    "ACL GETUSER",
    "ACL LIST",
    "ACL LOG",
    "ACL USERS",
    "ACL WHOAMI",
    "BITCOUNT",
    "BITFIELD_RO",
    "BITPOS",
    "CLIENT GETNAME",
    "CLIENT ID",
    "CLIENT INFO",
    "CLIENT LIST",
    "CLUSTER INFO",
    "CLUSTER NODES",
    "CLUSTER SHARDS",
    "CLUSTER SLOTS",
    "COMMAND COUNT",
    "COMMAND DOCS",
    "COMMAND INFO",
    "CONFIG GET",
    "DBSIZE",
    "DUMP",
    "ECHO",
    "EXISTS",
    "EXPIRETIME",
    "FUNCTION LIST",
    "FUNCTION STATS",
    "GEODIST",
    "GEOPOS",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HVALS",
    "INFO",
    "LASTSAVE",
    "LATENCY DOCTOR",
    "LATENCY HISTOGRAM",
    "LATENCY HISTORY",
    "LATENCY LATEST",
    "LINDEX",
    "LLEN",
    "LOLWUT",
    "LPOS",
    "LRANGE",
    "MEMORY DOCTOR",
    "MEMORY STATS",
    "MEMORY USAGE",
    "MGET",
    "MODULE LIST",
    "OBJECT ENCODING",
    "OBJECT FREQ",
    "OBJECT IDLETIME",
    "OBJECT REFCOUNT",
    "PEXPIRETIME",
    "PFCOUNT",
    "PING",
    "PTTL",
    "PUBSUB CHANNELS",
    "PUBSUB NUMPAT",
    "PUBSUB NUMSUB",
    "RANDOMKEY",
    "ROLE",
    "SCAN",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SINTERCARD",
    "SISMEMBER",
    "SLOWLOG GET",
    "SLOWLOG LEN",
    "SMEMBERS",
    "SMISMEMBER",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUNION",
    "TIME",
    "TTL",
    "TYPE",
    "XINFO CONSUMERS",
    "XINFO GROUPS",
    "XINFO STREAM",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZDIFF",
    "ZINTER",
    "ZINTERCARD",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANK",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
    "ZUNION",
];

/// Those that lose something.
const LOSES: &[&str] = &[
    "ACL DELUSER",
    "CLIENT KILL",
    "CLUSTER FLUSHSLOTS",
    "CLUSTER FORGET",
    "CLUSTER RESET",
    "DEL",
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION DELETE",
    "FUNCTION FLUSH",
    "GETDEL",
    "HDEL",
    "LPOP",
    "LREM",
    "LTRIM",
    "REPLICAOF",
    "RPOP",
    "SHUTDOWN",
    "SLAVEOF",
    "SLOWLOG RESET",
    "SPOP",
    "SREM",
    "SWAPDB",
    "UNLINK",
    "XDEL",
    "XTRIM",
    "ZPOPMAX",
    "ZPOPMIN",
    "ZREM",
    "ZREMRANGEBYLEX",
    "ZREMRANGEBYRANK",
    "ZREMRANGEBYSCORE",
];

/// Those whose answers never end, with what to use in their place.
const ENDLESS: &[(&str, &str)] = &[
    ("MONITOR", "it never ends and slows the server; `SLOWLOG GET` shows what is slow"),
    ("SUBSCRIBE", "it never ends; `PUBSUB NUMSUB` counts the listeners"),
    ("PSUBSCRIBE", "it never ends; `PUBSUB NUMPAT` counts the patterns"),
    ("SSUBSCRIBE", "it never ends"),
    ("SYNC", "it never ends: it is for replicas"),
    ("PSYNC", "it never ends: it is for replicas"),
];

/// Those that mean something only on the connection they were sent on, and each call has one of its own.
const OF_A_CONNECTION: &[(&str, &str)] = &[
    ("AUTH", "give `user` and `password` as arguments"),
    ("HELLO", "give `user` and `password` as arguments"),
    ("SELECT", "give `database` as an argument"),
    ("MULTI", "use a script with `EVAL`"),
    ("EXEC", "use a script with `EVAL`"),
    ("DISCARD", "use a script with `EVAL`"),
    ("WATCH", "use a script with `EVAL`"),
    ("UNWATCH", "use a script with `EVAL`"),
    ("QUIT", "every call hangs up by itself"),
    ("RESET", "every call has a fresh connection"),
    ("ASKING", "each call has a connection of its own"),
    ("READONLY", "each call has a connection of its own"),
    ("READWRITE", "each call has a connection of its own"),
    ("CLIENT REPLY", "each call waits for its answer"),
];

/// Those that keep the server or the caller waiting.
const BLOCKS: &[(&str, &str)] = &[
    (
        "KEYS",
        "it stops the server while it looks at every key; the probe `redis` counts keys with SCAN, `redis.unlink` removes them",
    ),
    ("SORT", "it may stop the server for long"),
    ("DEBUG", "it may stop or end the server"),
    ("SAVE", "it stops the server until all is written; use `redis.save`"),
    ("CLIENT PAUSE", "it stops the server for all clients"),
    ("BLPOP", "it waits until somebody writes"),
    ("BRPOP", "it waits until somebody writes"),
    ("BRPOPLPUSH", "it waits until somebody writes"),
    ("BLMOVE", "it waits until somebody writes"),
    ("BLMPOP", "it waits until somebody writes"),
    ("BZPOPMIN", "it waits until somebody writes"),
    ("BZPOPMAX", "it waits until somebody writes"),
    ("BZMPOP", "it waits until somebody writes"),
    ("WAIT", "it waits for replicas"),
    ("WAITAOF", "it waits for the disk"),
];

/// The command's name, with that of its part: `CONFIG GET`.
pub(crate) fn name(argv: &[String]) -> (String, String) {
    let first = argv.first().map(|w| w.to_ascii_uppercase()).unwrap_or_default();
    let both = argv.get(1).map_or_else(|| first.clone(), |second| format!("{first} {}", second.to_ascii_uppercase()));
    (first, both)
}

fn is(table: &[&str], argv: &[String]) -> bool {
    let (first, both) = name(argv);
    table.contains(&first.as_str()) || table.contains(&both.as_str())
}

fn why<'t>(table: &[(&str, &'t str)], argv: &[String]) -> Option<&'t str> {
    let (first, both) = name(argv);
    table.iter().find(|(n, _)| *n == first || *n == both).map(|(_, why)| *why)
}

/// Whether a command only looks. `SORT` may write, `GETEX` changes the time, `SLOWLOG RESET` forgets: the table has what is sure.
pub(crate) fn looks(argv: &[String]) -> bool {
    is(LOOKS, argv) && !(name(argv).1 == "ACL LOG" && argv.len() > 2)
}

/// What a command changes.
pub(crate) fn effect(argv: &[String]) -> Effect {
    match (looks(argv), is(LOSES, argv)) {
        (true, _) => Effect::Read,
        (_, true) => Effect::Destroy,
        _ => Effect::Change,
    }
}

/// Refuses what no call can do, and what keeps a server waiting unless that is wanted.
pub(crate) fn check(argv: &[String], allow_blocking: bool) -> Result<(), Fault> {
    let (first, _) = name(argv);
    if first.is_empty() {
        return Err(Fault::invalid("argv", "no command is given"));
    }
    if first.contains(char::is_whitespace) {
        return Err(Fault::invalid("argv", "the words of a command are written as a list: `[CONFIG, GET, maxmemory]`"));
    }
    if let Some(why) = why(ENDLESS, argv) {
        return Err(Fault::invalid("argv", format!("`{first}` is not sent: {why}")));
    }
    if let Some(instead) = why(OF_A_CONNECTION, argv) {
        return Err(Fault::invalid("argv", format!("`{first}` means something to its own connection only: {instead}")));
    }
    match why(BLOCKS, argv).filter(|_| !allow_blocking) {
        Some(why) => {
            Err(Fault::invalid("argv", format!("`{first}` is not sent: {why}. `allow_blocking: true` sends it all the same")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn effects_are_known() {
        for (line, effect_of) in [
            ("get a", Effect::Read),
            ("CONFIG GET maxmemory", Effect::Read),
            ("config set maxmemory 1", Effect::Change),
            ("SET a b", Effect::Change),
            ("no_such_command", Effect::Change),
            ("DEL a", Effect::Destroy),
            ("flushall", Effect::Destroy),
            ("client kill id 5", Effect::Destroy),
            ("ACL LOG", Effect::Read),
            ("ACL LOG RESET", Effect::Change),
        ] {
            assert_eq!(effect(&argv(line)), effect_of, "{line}");
        }
    }

    #[test]
    fn what_never_ends_or_blocks_is_refused() {
        for bad in
            ["MONITOR", "subscribe a", "KEYS *", "AUTH x", "MULTI", "BLPOP a 0", "CLIENT REPLY OFF", "save", "", "CONFIG\tGET"]
        {
            assert!(check(&argv(bad), false).is_err(), "{bad}");
        }
        assert!(check(&["CONFIG GET x".to_owned()], false).is_err());
        for good in ["KEYS *", "BLPOP a 1", "SAVE"] {
            assert!(check(&argv(good), true).is_ok(), "{good}");
        }
        assert!(check(&argv("MONITOR"), true).is_err());
        assert!(check(&argv("CLIENT LIST"), false).is_ok());
    }
}
