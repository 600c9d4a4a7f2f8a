//! The table of functions, filters and tests: for checking, suggestions and the reference pages.

/// What kind of callable it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallableKind {
    /// `name(args)`
    Function,
    /// `value | name(args)`
    Filter,
    /// `value is name(args)`
    Test,
}

/// A function, filter or test.
#[derive(Clone, Copy, Debug)]
pub struct Callable {
    /// The name.
    pub name: &'static str,
    /// How it is called.
    pub kind: CallableKind,
    /// The fewest arguments, the piped value not counted.
    pub min: usize,
    /// The most arguments, named ones included.
    pub max: usize,
    /// What it does, in one line.
    pub doc: &'static str,
}

/// The callable of this kind and name.
pub fn find(kind: CallableKind, name: &str) -> Option<&'static Callable> {
    FUNCTIONS.iter().find(|c| c.kind == kind && c.name == name)
}

macro_rules! table {
    ($( $kind:ident $name:literal $min:literal..$max:literal $doc:literal; )*) => {
        /// Every function, filter and test, by kind and name.
        pub const FUNCTIONS: &[Callable] = &[
            $( Callable { name: $name, kind: CallableKind::$kind, min: $min, max: $max, doc: $doc }, )*
        ];
    };
}

table! {
    Function "now" 0..0 "The world's time when the step began.";
    Function "range" 1..3 "A list of whole numbers: `range(stop)`, `range(start, stop)`, `range(start, stop, step)`; at most 100,000.";
    Filter "abs" 0..0 "The absolute value of a number or duration.";
    Filter "ago" 0..0 "The moment that lies this duration before now: `15m | ago`.";
    Filter "b64decode" 0..0 "Text from base64.";
    Filter "b64encode" 0..0 "Base64 of a text.";
    Filter "basename" 0..0 "The last part of a path.";
    Filter "bool" 0..0 "A boolean from `true`, `false`, `yes`, `no`, `on`, `off`, 1 or 0.";
    Filter "capitalize" 0..0 "The text with its first letter in upper case.";
    Filter "containing" 1..1 "Of a text: whether it contains the argument. Of a list: its texts that do.";
    Filter "count" 0..0 "The number of items, entries or characters.";
    Filter "d" 0..1 "Short for `default`.";
    Filter "date" 0..1 "A time as text in UTC by a strftime format; default `%Y-%m-%dT%H:%M:%SZ`.";
    Filter "default" 0..1 "The value, or the argument if it is undefined or null.";
    Filter "dictsort" 0..0 "The map with its keys sorted.";
    Filter "dirname" 0..0 "A path without its last part.";
    Filter "duration" 0..0 "A duration from text such as `30s`, or from a number of seconds.";
    Filter "ends_with" 1..1 "Of a text: whether it ends with the argument. Of a list: its texts that do.";
    Filter "first" 0..0 "The first item or character; null if there is none.";
    Filter "float" 0..0 "A number with a fraction from a number or text.";
    Filter "groupby" 1..1 "A map from each value of the named field to the list of items that have it.";
    Filter "int" 0..0 "A whole number from a number, boolean or text.";
    Filter "items" 0..0 "A map's entries as a list of `[key, value]`.";
    Filter "join" 0..1 "The items as text with the argument between them.";
    Filter "jsonpath" 1..1 "The list of values that an RFC 9535 JSONPath selects.";
    Filter "keys" 0..0 "A map's keys as a list.";
    Filter "last" 0..0 "The last item or character; null if there is none.";
    Filter "length" 0..0 "The number of items, entries or characters.";
    Filter "lines" 0..0 "The lines of a text, without their ends.";
    Filter "list" 0..0 "A list: of a map its keys, of a text its characters.";
    Filter "lower" 0..0 "The text in lower case.";
    Filter "map" 1..2 "Each item's field (`map(attribute='port')`) or each item through a filter (`map('upper')`).";
    Filter "max" 0..0 "The greatest item; null of an empty list.";
    Filter "min" 0..0 "The smallest item; null of an empty list.";
    Filter "natural_sort" 0..0 "The texts sorted so that `v9` comes before `v10`.";
    Filter "parse_json" 0..0 "The value of a JSON text.";
    Filter "percentile" 1..1 "The given percentile of a list of numbers, durations or sizes, by linear interpolation.";
    Filter "regex_find_all" 1..1 "All matches of a regular expression; with one group, that group's text.";
    Filter "regex_match" 1..1 "Whether a regular expression matches the whole text.";
    Filter "regex_replace" 2..2 "The text with each match replaced; `$1` is the first group.";
    Filter "regex_search" 1..1 "The first match (with one group: that group's text), or null.";
    Filter "reject" 1..2 "The items for which a test does not hold: `reject('none')`.";
    Filter "rejectattr" 1..3 "The items whose field does not pass a test.";
    Filter "replace" 2..2 "The text with each occurrence of the first argument replaced by the second.";
    Filter "reverse" 0..0 "The list or text backwards.";
    Filter "round" 0..1 "The number rounded to so many decimals (default 0).";
    Filter "select" 0..2 "The items for which a test holds (default: those that count as true).";
    Filter "selectattr" 1..3 "The items whose field passes a test: `selectattr('status', 'ne', 'ok')`.";
    Filter "sha256" 0..0 "The SHA-256 of a text, in hexadecimal.";
    Filter "shell_quote" 0..0 "The text quoted as one word for a POSIX shell.";
    Filter "size" 0..0 "A size from text such as `10MB`, or from a number of bytes.";
    Filter "sort" 0..2 "The items sorted; `attribute='name'`, `reverse=true`.";
    Filter "split" 0..1 "The parts of a text between the argument (default: white space).";
    Filter "sql_ident" 0..0 "The text quoted as an SQL identifier.";
    Filter "sql_quote" 0..0 "The text quoted as an SQL string literal.";
    Filter "starts_with" 1..1 "Of a text: whether it starts with the argument. Of a list: its texts that do.";
    Filter "string" 0..0 "The value as text.";
    Filter "sum" 0..1 "The sum of the items, or of their field (`sum(attribute='n')`).";
    Filter "time" 0..0 "A time from text such as `2026-02-15T14:23:45Z`.";
    Filter "title" 0..0 "The text with each word's first letter in upper case.";
    Filter "tojson" 0..1 "The value as JSON; `indent=2`.";
    Filter "trim" 0..1 "The text without white space (or the given characters) at both ends.";
    Filter "unique" 0..0 "The items without repetitions.";
    Filter "unquoted" 0..0 "In shell text: put the value in as it is. Dangerous; a warning.";
    Filter "upper" 0..0 "The text in upper case.";
    Filter "urlencode" 0..0 "The text percent-encoded for a URL.";
    Filter "values" 0..0 "A map's values as a list.";
    Filter "version" 0..0 "A version text as a list of numbers, so that 1.10 is greater than 1.9.";
    Filter "zip" 1..1 "Pairs of the items of two lists.";
    Test "boolean" 0..0 "Whether it is a boolean.";
    Test "containing" 1..1 "Whether a text, list or map contains the argument.";
    Test "defined" 0..0 "Whether the name or field exists.";
    Test "divisibleby" 1..1 "Whether it can be divided without a remainder.";
    Test "empty" 0..0 "Whether it has no items or characters.";
    Test "endingwith" 1..1 "Whether the text ends with the argument.";
    Test "eq" 1..1 "Whether it is equal to the argument.";
    Test "even" 0..0 "Whether the number is even.";
    Test "false" 0..0 "Whether it is `false`.";
    Test "float" 0..0 "Whether it is a number with a fraction.";
    Test "ge" 1..1 "Whether it is the argument or more.";
    Test "gt" 1..1 "Whether it is more than the argument.";
    Test "in" 1..1 "Whether the argument contains it.";
    Test "integer" 0..0 "Whether it is a whole number.";
    Test "iterable" 0..0 "Whether it is a list or map.";
    Test "le" 1..1 "Whether it is the argument or less.";
    Test "lt" 1..1 "Whether it is less than the argument.";
    Test "mapping" 0..0 "Whether it is a map.";
    Test "matching" 1..1 "Whether a regular expression is found in the text.";
    Test "ne" 1..1 "Whether it differs from the argument.";
    Test "none" 0..0 "Whether it is null.";
    Test "null" 0..0 "Whether it is null.";
    Test "number" 0..0 "Whether it is a number.";
    Test "odd" 0..0 "Whether the number is odd.";
    Test "sequence" 0..0 "Whether it is a list.";
    Test "startingwith" 1..1 "Whether the text starts with the argument.";
    Test "string" 0..0 "Whether it is a text.";
    Test "true" 0..0 "Whether it is `true`.";
    Test "undefined" 0..0 "Whether the name or field does not exist.";
    Test "unknown" 0..0 "Whether it is not known.";
}
