//! Server-sent events, as far as the service sends them.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

/// The most bytes of an event. Those of the service have less than a thousand.
const MAX_BYTES: usize = 64 * 1024;

/// After so long without a sign of life the connection counts as broken.
const SILENCE: Duration = Duration::from_mins(1);

/// An event. A comment, which only shows that the connection is alive, is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    /// The number of the user's last change.
    pub(crate) seq: Option<i64>,
    /// The pause before the next connection, after the stream has ended.
    pub(crate) retry: Option<Duration>,
}

/// The events of a response, until it ends or breaks.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    received: Vec<u8>,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        Self {
            response,
            received: Vec::new(),
        }
    }

    /// Returns the next event, or `None` when the stream has ended or is broken.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = take_event(&mut self.received) {
                if event != Event::default() {
                    return Some(event);
                }
                continue;
            }
            if self.received.len() > MAX_BYTES {
                return None;
            }
            // The service shows every 20 s that the connection is alive.
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await;
            let chunk = chunk.ok()?.ok()??;
            self.received.extend_from_slice(&chunk);
        }
    }
}

/// Takes the first event that is complete off the received bytes. Lines end with a line feed, as those of the service.
fn take_event(received: &mut Vec<u8>) -> Option<Event> {
    let end = received.windows(2).position(|pair| pair == b"\n\n")? + 2;
    let block: Vec<u8> = received.drain(..end).collect();
    let mut event = Event::default();
    for line in String::from_utf8_lossy(&block).lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "data" => {
                let data: Option<Value> = serde_json::from_str(value).ok();
                event.seq = data.and_then(|data| data.get("seq")?.as_i64());
            }
            "retry" => event.retry = value.parse().ok().map(Duration::from_millis),
            _ => {}
        }
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_off_one_by_one_and_comments_are_none() {
        let mut received =
            b": alive\n\nid: x\nevent: change\ndata: {\"cursor\":\"x\",\"seq\":7}\n\nretry: 250\n\nevent: cha".to_vec();
        assert_eq!(take_event(&mut received), Some(Event::default()));
        let change = take_event(&mut received).unwrap();
        assert_eq!((change.name.as_str(), change.seq), ("change", Some(7)));
        let retry = take_event(&mut received).unwrap().retry;
        assert_eq!(retry, Some(Duration::from_millis(250)));
        assert_eq!(take_event(&mut received), None);
        assert_eq!(received, b"event: cha");
    }
}
