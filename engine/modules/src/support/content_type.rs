//! What kind of content a file has, by its first bytes.

/// How many of the first bytes are looked at.
pub(crate) const LOOKED_AT: usize = 8192;

/// Formats of operators that the crate does not know.
const OURS: &[(&[u8], &str)] = &[
    (b"PGDMP", "application/x-postgresql-dump"),
    (b"REDIS0", "application/x-redis-dump"),
    (b"-----BEGIN ", "application/x-pem-file"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"LPKSHHRH", "application/x-systemd-journal"),
    (b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (b"\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap"),
    (b"\x0a\x0d\x0d\x0a", "application/x-pcapng"),
];

/// Kinds that are written as text. Any other that the first letters of a text look like is an accident: `BM` begins a picture, and `BMW`.
const WRITTEN: &[&str] =
    &["application/pdf", "application/rtf", "application/postscript", "text/html", "text/xml", "text/x-vcard"];

/// The kind as a media type: by a mark at its beginning, else `text/plain` or `application/octet-stream`; none for no bytes.
pub(crate) fn content_type(head: &[u8]) -> Option<String> {
    if head.is_empty() {
        return None;
    }
    if let Some((_, kind)) = OURS.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some((*kind).to_owned());
    }
    let text = is_text(head);
    if text && head.starts_with(b"#!") {
        return Some(script(head).to_owned());
    }
    let known = infer::get(head).map(|k| k.mime_type()).filter(|kind| !text || WRITTEN.contains(kind));
    Some(known.unwrap_or(if text { "text/plain" } else { "application/octet-stream" }).to_owned())
}

/// The kind of a script, by its first line.
fn script(head: &[u8]) -> &'static str {
    let line = head[2..].split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace().map(|w| w.rsplit('/').next().unwrap_or(w));
    // `env` may have options of its own before the program.
    let program = match words.next() {
        Some("env") => words.find(|w| !w.starts_with('-')),
        first => first,
    };
    match program.unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh" => "text/x-shellscript",
        "python" | "pypy" => "text/x-script.python",
        "perl" => "text/x-perl",
        _ => "text/x-script",
    }
}

/// Whether bytes are text in UTF-8, or in UTF-16 with a mark that says so. The last character may be cut off.
fn is_text(head: &[u8]) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return head.len().is_multiple_of(2) && head[2..].chunks(2).all(|pair| pair != [0, 0]);
    }
    let whole = match std::str::from_utf8(head) {
        Ok(_) => head,
        Err(e) if e.error_len().is_none() && head.len() == LOOKED_AT => &head[..e.valid_up_to()],
        Err(_) => return false,
    };
    // Colours of a terminal, and what a printer understands, are no other kind of content.
    whole.iter().all(|b| *b >= b' ' && *b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r' | 0x08 | 0x0c | 0x1b))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn of(head: &[u8]) -> String {
        content_type(head).unwrap()
    }

    #[test]
    fn marks_are_known() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"hello").unwrap();
        assert_eq!(of(&gz.finish().unwrap()), "application/gzip");
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(2);
        header.set_cksum();
        tar.append_data(&mut header, "a", &b"hi"[..]).unwrap();
        assert_eq!(of(&tar.into_inner().unwrap()), "application/x-tar");
        for (head, kind) in [
            (&b"\x28\xb5\x2f\xfd\x24\x00\x01"[..], "application/zstd"),
            (b"PK\x03\x04\x14\x00\x00\x00", "application/zip"),
            (b"SQLite format 3\0\x10\x00", "application/vnd.sqlite3"),
            (b"PGDMP\x01\x0e\x00", "application/x-postgresql-dump"),
            (b"REDIS0011\xfa", "application/x-redis-dump"),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "application/x-executable"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"-----BEGIN CERTIFICATE-----\nMII", "application/x-pem-file"),
            (b"\x00\x01\x02\x03", "application/octet-stream"),
            (b"PAR1\x15\x04\x15\x00", "application/vnd.apache.parquet"),
        ] {
            assert_eq!(of(head), kind, "{head:?}");
        }
    }

    #[test]
    fn text_is_text_whatever_it_begins_with() {
        for head in [
            "BMW 2002\n",
            "MZ is how it begins\n",
            "ID3 of the list",
            "BZh",
            "{\"a\": 1}",
            "caf\u{e9} \u{1f600}",
            "\u{1b}[31mred\u{1b}[0m",
            "x",
        ] {
            assert_eq!(of(head.as_bytes()), "text/plain", "{head}");
        }
        assert_eq!(of(b"\xff\xfeh\0i\0"), "text/plain");
        assert_eq!(content_type(b""), None);
        // A character that the end cuts in two, and one that is none.
        let mut long = vec![b'a'; LOOKED_AT - 1];
        long.push(0xc3);
        assert_eq!(of(&long), "text/plain");
        assert_eq!(of(b"caf\xe9 latin"), "application/octet-stream");
        assert_eq!(of(b"<!DOCTYPE html><html></html>"), "text/html");
        assert_eq!(of(b"<?xml version=\"1.0\"?><a/>"), "text/xml");
    }

    #[test]
    fn scripts_are_told_by_their_program() {
        for (line, kind) in [
            ("#!/bin/sh\n", "text/x-shellscript"),
            ("#!/usr/bin/env -S bash -e\n", "text/x-shellscript"),
            ("#!/usr/bin/python3.11\n", "text/x-script.python"),
            ("#! /usr/bin/env python3\n", "text/x-script.python"),
            ("#!/usr/bin/perl -w\n", "text/x-perl"),
            ("#!/usr/bin/env node\n", "text/x-script"),
            ("#!\n", "text/x-script"),
        ] {
            assert_eq!(of(line.as_bytes()), kind, "{line}");
        }
    }
}
