//! Hands the HTTP parser one request at a time. The parser reads ahead: it would execute a request that follows
//! one with `Connection: close` (RFC 9112, section 9.6), and encode a response by the version, method and
//! `Connection` of a later request.

use memchr::{memchr, memchr_iter};

/// The size from which the parser refuses a head, in bytes.
const MAX_HEAD: usize = 128 * 1024;

/// Where in a request the bytes of a client stand.
pub struct RequestGate {
    part: Part,
    /// How many bytes the parser may have and has not taken.
    admitted: usize,
}

enum Part {
    /// A head, of which `searched` bytes hold no end.
    Head { searched: usize },
    /// A body of which this many bytes are missing.
    Sized(u64),
    /// A chunked body.
    Chunked(Chunk),
    /// The end of a request that has no response yet.
    Response,
    /// A body that is not well-formed.
    Broken,
    /// What the parser refuses, or reads to the end of the connection.
    Unlimited,
}

impl RequestGate {
    pub fn new() -> Self {
        Self {
            part: Part::Head { searched: 0 },
            admitted: 0,
        }
    }

    /// Returns how many of these bytes, the first that the parser does not have, it may take now. Offers of another
    /// protocol are removed from a head, which is admitted as a whole.
    pub fn admit(&mut self, bytes: &mut [u8]) -> usize {
        while let Some(rest) = bytes.get_mut(self.admitted..)
            && !rest.is_empty()
        {
            match &mut self.part {
                Part::Head { searched } => match end_of_head(rest, *searched) {
                    Some(end) => {
                        let (head, _) = rest.split_at_mut(end);
                        self.part = read_head(head);
                        self.admitted += end;
                    }
                    None if rest.len() >= MAX_HEAD => self.part = Part::Unlimited,
                    None => {
                        *searched = rest.len();
                        break;
                    }
                },
                Part::Sized(missing) => {
                    let here = usize::try_from(*missing).map_or(rest.len(), |m| m.min(rest.len()));
                    *missing -= here as u64;
                    self.admitted += here;
                    if *missing == 0 {
                        self.part = Part::Response;
                    }
                }
                Part::Chunked(chunk) => {
                    let (here, next) = chunk.skip(rest);
                    self.admitted += here;
                    self.part = match next {
                        Some(Chunk::End) => Part::Response,
                        Some(next) => Part::Chunked(next),
                        None => Part::Broken,
                    };
                }
                Part::Response | Part::Broken => break,
                Part::Unlimited => self.admitted += rest.len(),
            }
        }
        self.admitted
    }

    /// Counts bytes that the parser has taken.
    pub fn take(&mut self, bytes: usize) {
        self.admitted = self.admitted.saturating_sub(bytes);
    }

    /// Whether further bytes must wait for a response.
    pub fn is_closed(&self) -> bool {
        matches!(self.part, Part::Response)
    }

    /// Whether no further byte is of use. The parser would drop the connection without an answer; to the end of what the
    /// client sends, the handler has one.
    pub fn is_broken(&self) -> bool {
        matches!(self.part, Part::Broken) && self.admitted == 0
    }

    /// Lets the next request in, if the last one has been handed out as a whole.
    pub fn open(&mut self) -> bool {
        let is_closed = self.is_closed();
        if is_closed {
            self.part = Part::Head { searched: 0 };
        }
        is_closed
    }
}

/// Returns the position after the empty line that ends a head. Empty lines before a head do not count, and a line
/// may end without a carriage return, as the parser has it.
fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let from = start.max(searched.saturating_sub(2));
    memchr_iter(b'\n', bytes.get(from..)?).find_map(|newline| {
        let next = from + newline + 1;
        match bytes.get(next..)? {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        }
    })
}

/// Returns what follows a head, and blanks out `Upgrade`: a server may ignore it (RFC 9110, section 7.8), but the
/// parser would take what follows for another protocol, or end the connection.
fn read_head(head: &mut [u8]) -> Part {
    if head.trim_ascii_start().starts_with(b"CONNECT ") {
        return Part::Unlimited;
    }
    let mut follows = Part::Response;
    let mut rest = head;
    while let Some(newline) = memchr(b'\n', rest) {
        let (line, next) = rest.split_at_mut(newline + 1);
        rest = next;
        match line.first().map(u8::to_ascii_lowercase) {
            Some(b'c') => {
                if let Some(value) = value_of("connection", line) {
                    for option in value.split_mut(|byte| *byte == b',') {
                        // The last option is followed by the end of the line.
                        let (option, _) = option.split_at_mut(option.trim_ascii_end().len());
                        if option.trim_ascii_start().eq_ignore_ascii_case(b"upgrade") {
                            option.fill(b' ');
                        }
                    }
                } else if let Some(value) = value_of("content-length", line)
                    && !matches!(follows, Part::Chunked(_))
                {
                    let length = str::from_utf8(value).map(|value| value.trim().parse());
                    follows = match length {
                        Ok(Ok(0)) => Part::Response,
                        Ok(Ok(length)) => Part::Sized(length),
                        _ => Part::Unlimited,
                    };
                }
            }
            Some(b't') if value_of("transfer-encoding", line).is_some() => {
                follows = Part::Chunked(Chunk::Start);
            }
            Some(b'u') if value_of("upgrade", line).is_some() => {
                if let Some(name) = line.first_chunk_mut() {
                    *name = *b"ignored";
                }
            }
            _ => {}
        }
    }
    follows
}

/// Returns the value in a line of a head, if it is the line of this header.
fn value_of<'a>(name: &str, line: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (given, rest) = line.split_at_mut_checked(name.len())?;
    let (colon, value) = rest.split_first_mut()?;
    (*colon == b':' && given.eq_ignore_ascii_case(name.as_bytes())).then_some(value)
}

/// Where in a chunked body the bytes stand, in the grammar of the parser.
#[derive(Clone, Copy)]
enum Chunk {
    /// Before a size.
    Start,
    /// After digits of a size.
    Size(u64),
    /// After a space behind a size.
    Space(u64),
    /// In what else is in the line of a size.
    Extension(u64),
    /// Before the last byte of the line of a size.
    SizeEnd(u64),
    /// Before data of this length.
    Data(u64),
    /// After data.
    DataEnd,
    /// Before the last byte of the line end after data.
    DataNewline,
    /// In a line after the last chunk.
    Trailer { is_empty: bool },
    /// After the body.
    End,
}

impl Chunk {
    /// Returns how many of these bytes belong to the body and are well-formed, and where the next byte stands: `None`
    /// if it is malformed.
    fn skip(mut self, bytes: &[u8]) -> (usize, Option<Self>) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Self::Data(missing) = self {
                let here = bytes.len() - at;
                let here = usize::try_from(missing).map_or(here, |missing| missing.min(here));
                at += here;
                self = match missing - here as u64 {
                    0 => Self::DataEnd,
                    missing => Self::Data(missing),
                };
                continue;
            }
            match self.next(*byte) {
                None => return (at, None),
                Some(Self::End) => return (at + 1, Some(Self::End)),
                Some(next) => self = next,
            }
            at += 1;
        }
        (at, Some(self))
    }

    fn next(self, byte: u8) -> Option<Self> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Some(match (self, byte) {
            (Self::Start, _) => Self::Size(digit?),
            (Self::Size(size) | Self::Space(size), b' ' | b'\t') => Self::Space(size),
            (Self::Size(size) | Self::Space(size) | Self::Extension(size), b'\r') => {
                Self::SizeEnd(size)
            }
            (Self::Size(size) | Self::Space(size), b';')
            | (Self::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => Self::Extension(size),
            (Self::Size(size), _) => Self::Size(size.checked_mul(16)? + digit?),
            (Self::SizeEnd(0), b'\n') => Self::Trailer { is_empty: true },
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataEnd, b'\r') => Self::DataNewline,
            (Self::DataNewline, b'\n') => Self::Start,
            (Self::Trailer { is_empty: true }, b'\n') => Self::End,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { is_empty: true },
            (Self::Trailer { is_empty }, _) => Self::Trailer {
                is_empty: is_empty && byte == b'\r',
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends bytes in pieces of this size, and returns what the parser gets before and after each response.
    fn requests(sent: &str, piece: usize) -> Vec<String> {
        let mut gate = RequestGate::new();
        let mut held = Vec::new();
        let mut got = vec![String::new()];
        for bytes in sent.as_bytes().chunks(piece) {
            held.extend_from_slice(bytes);
            loop {
                let admitted = gate.admit(&mut held);
                gate.take(admitted);
                let taken = held.drain(..admitted).collect();
                let taken = String::from_utf8(taken).unwrap();
                got.last_mut().unwrap().push_str(&taken);
                if !gate.open() {
                    break;
                }
                got.push(String::new());
            }
        }
        assert_eq!(got.pop().unwrap(), "", "the last request is complete");
        got
    }

    #[test]
    fn pipelined_requests_come_one_by_one() {
        let all = [
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n\r\n\r\n",
            "POST / HTTP/1.1\nhost: a\ncontent-length:0\n\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\n\n\n\n\r\n1a\r\n01234567890123456789012345\r\n0\r\n\r\n",
            "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nchecksum: 1\r\n\r\n",
            "\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
        ];
        for piece in [1, 2, 3, 7, 64, 4096] {
            assert_eq!(requests(&all.concat(), piece), all, "pieces of {piece}");
        }
    }

    #[test]
    fn offers_of_another_protocol_are_blanked_out() {
        let sent = "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUPGRADE: h2c\r\nx-upgrade: 1\r\n\r\n";
        let got = "GET / HTTP/1.1\r\nConnection:        , HTTP2-Settings\r\nignored: h2c\r\nx-upgrade: 1\r\n\r\n";
        assert_eq!(requests(sent, 4096), [got]);
        assert_eq!(requests(sent, 1), [got]);
    }

    #[test]
    fn malformed_chunks_are_held_back() {
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for (well_formed, rest) in [
            ("", "z\r\n"),
            ("", "\r\n"),
            ("2", "\nab"),
            ("2 ", "2\r\nab"),
            ("2;x", "\nab"),
            ("2\r\nab", "c\r\n"),
            ("2\r\nab\r", "0\r\n"),
            ("2\r\nab\r\n", "-1\r\n"),
            ("ffffffffffffffff", "f\r\n"),
        ] {
            let mut bytes = format!("{head}{well_formed}{rest}").into_bytes();
            let mut gate = RequestGate::new();
            let admitted = gate.admit(&mut bytes);
            assert_eq!(admitted, head.len() + well_formed.len(), "{rest:?}");
            assert!(!gate.is_broken());
            gate.take(admitted);
            assert!(gate.is_broken() && !gate.open());
        }
    }

    #[test]
    fn what_is_no_request_is_left_to_the_parser() {
        for sent in [
            "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\nanything".to_owned(),
            "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\nanything".to_owned(),
            format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(MAX_HEAD)),
        ] {
            let mut bytes = sent.into_bytes();
            let mut gate = RequestGate::new();
            assert_eq!(gate.admit(&mut bytes), bytes.len());
            assert!(!gate.open());
        }
    }
}
