//! What arrives on a connection: bytes, in any pieces, become requests.

use std::sync::Arc;

use super::body::{self, BodyReader, MemoryBudget, Reserved};
use super::head::{Framing, Head};
use super::limits::Limits;
use super::request::Request;
use super::write::Meta;
use crate::error::{Error, Kind, Result};

/// What has arrived of the next request. Empty, it takes no memory.
#[derive(Default)]
pub struct Incoming {
    /// Bytes that belong to what comes next.
    buffered: Vec<u8>,
    /// The memory reserved for these bytes while they wait for more.
    reserved: Option<Reserved>,
    /// The request whose body arrives.
    upload: Option<Box<Upload>>,
    /// The origin that the last head named. Its page is to learn what becomes of the request.
    origin: Option<Vec<u8>>,
}

struct Upload {
    head: Head,
    body: BodyReader,
}

/// How far the next request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Silent,
    Head,
    Body,
}

/// What has become of the bytes.
pub enum Next {
    Request(Box<Whole>),
    /// The peer waits to be told that it may send the body.
    ExpectsContinue,
    /// More has to arrive.
    More,
}

/// A request that has arrived whole.
pub struct Whole {
    pub request: Request,
    pub meta: Meta,
    /// The memory reserved for its body.
    pub reserved: Option<Reserved>,
}

impl Incoming {
    pub fn stage(&self) -> Stage {
        match &self.upload {
            Some(_) => Stage::Body,
            None if self.buffered.is_empty() => Stage::Silent,
            None => Stage::Head,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.stage() == Stage::Silent
    }

    /// Method and path of the next request, once its first line has arrived. What cannot be read of it is empty.
    pub fn request_line(&self) -> Option<(&str, &str)> {
        if self.upload.is_some() {
            return None;
        }
        let line = self.buffered.split_inclusive(|byte| *byte == b'\n').find(|line| *line != b"\r\n")?;
        let line = std::str::from_utf8(line.strip_suffix(b"\n")?).unwrap_or_default();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Some((method, target.split('?').next().unwrap_or_default()))
    }

    /// The origin that the last head named, if it named one.
    pub fn take_origin(&mut self) -> Option<Vec<u8>> {
        self.origin.take()
    }

    /// Takes bytes that have arrived.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.reserved = None;
        let taken = match &mut self.upload {
            Some(upload) if self.buffered.is_empty() => upload.body.take(bytes)?,
            _ => 0,
        };
        self.buffered.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// The next request, if it has arrived whole.
    pub fn next(&mut self, limits: &Limits, budget: &MemoryBudget) -> Result<Next> {
        let next = self.advance(limits, budget);
        if self.buffered.is_empty() {
            // A connection that waits holds no buffer.
            (self.buffered, self.reserved) = (Vec::new(), None);
        }
        next
    }

    /// Reserves memory for the bytes that wait. Fails if there is none left.
    pub fn hold(&mut self, budget: &MemoryBudget) -> Result<()> {
        if self.buffered.is_empty() || self.reserved.is_some() {
            return Ok(());
        }
        self.buffered.shrink_to_fit();
        let mut reserved = budget.reserve();
        if !reserved.grow(self.buffered.capacity()) {
            return Err(body::too_many());
        }
        self.reserved = Some(reserved);
        Ok(())
    }

    fn advance(&mut self, limits: &Limits, budget: &MemoryBudget) -> Result<Next> {
        if self.upload.is_none() {
            let Some(head) = self.take_head(limits)? else { return Ok(Next::More) };
            self.origin = head.origin().map(<[u8]>::to_vec);
            if head.framing()? == Framing::Length(0) {
                return Ok(whole(head, Vec::new(), None));
            }
            let expects_continue = head.expects_continue() && self.buffered.is_empty();
            let body = BodyReader::new(head.framing()?, limits.body_bytes, budget)?;
            self.upload = Some(Box::new(Upload { head, body }));
            if expects_continue {
                return Ok(Next::ExpectsContinue);
            }
        }
        self.take_body()
    }

    fn take_head(&mut self, limits: &Limits) -> Result<Option<Head>> {
        // A surplus line end after a body is ignored, as RFC 9112 asks.
        let blank = self.buffered.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2;
        self.buffered.drain(..blank);
        if self.buffered.is_empty() {
            return Ok(None);
        }
        let parsed = Head::parse(&self.buffered)?;
        let length = parsed.as_ref().map_or(self.buffered.len(), |(_, length)| *length);
        if length > limits.head_bytes {
            self.origin = parsed.as_ref().and_then(|(head, _)| head.origin()).map(<[u8]>::to_vec);
            let text = format!("request line and headers are larger than {} bytes", limits.head_bytes);
            return Err(Error::new(Kind::HeadTooLarge, text));
        }
        Ok(parsed.map(|(head, length)| {
            self.buffered.drain(..length);
            head
        }))
    }

    fn take_body(&mut self) -> Result<Next> {
        let Some(mut upload) = self.upload.take() else { return Ok(Next::More) };
        let taken = upload.body.take(&self.buffered)?;
        self.buffered.drain(..taken);
        if !upload.body.is_whole() {
            self.upload = Some(upload);
            return Ok(Next::More);
        }
        let (body, reserved) = upload.body.finish();
        Ok(whole(upload.head, body, Some(reserved)))
    }
}

fn whole(head: Head, body: Vec<u8>, reserved: Option<Reserved>) -> Next {
    let (meta, head) = (Meta::of(&head), Arc::new(head));
    Next::Request(Box::new(Whole { request: Request { head, body }, meta, reserved }))
}
