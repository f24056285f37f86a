//! A message in the pieces that its segments brought, read as if it were one.

use bytes::Bytes;

/// Unjoined bytes of one message.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    parts: Vec<Bytes>,
    length: usize,
}

impl Parts {
    pub(super) fn new(parts: Vec<Bytes>) -> Self {
        let length = parts.iter().map(Bytes::len).sum();
        Self { parts, length }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn into_inner(self) -> Vec<Bytes> {
        self.parts
    }

    pub(super) fn as_slice(&self) -> &[Bytes] {
        &self.parts
    }

    /// The bytes from `from` up to `to` or the end, in as many pieces as they lie in; nothing is copied.
    pub(super) fn cut(&self, from: usize, to: usize) -> Self {
        let mut cut = Vec::new();
        let mut start = 0;
        for part in &self.parts {
            let end = start + part.len();
            let (first, last) = (from.clamp(start, end) - start, to.clamp(start, end) - start);
            if first < last {
                cut.push(part.slice(first..last));
            }
            start = end;
        }
        Self::new(cut)
    }

    /// All of it in one piece: a slice where there is one part, otherwise one copy.
    pub(super) fn joined(&self) -> Bytes {
        match self.parts.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            several => {
                let mut all = Vec::with_capacity(self.length);
                several.iter().for_each(|part| all.extend_from_slice(part));
                Bytes::from(all)
            }
        }
    }

    /// The bytes from `from` up to `to` or the end, in one piece.
    pub(super) fn gather(&self, from: usize, to: usize) -> Bytes {
        match self.parts.as_slice() {
            [only] => only.slice(from.min(only.len())..to.clamp(from.min(only.len()), only.len())),
            _ => self.cut(from, to).joined(),
        }
    }
}
