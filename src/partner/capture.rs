//! Segments written down as text that `text2pcap -D` turns into a recording, so that tshark can judge them.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::PartnerError;

/// An open capture, or none.
#[derive(Debug)]
pub(super) struct Capture(Option<(File, PathBuf)>);

/// Who sent a segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    /// This end.
    Out,
    /// The partner.
    In,
}

impl Capture {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, PartnerError> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|e| PartnerError::file(path, e))?;
        Ok(Self(Some((file, path.to_owned()))))
    }

    /// Appends one segment; `bytes` is not asked for without a capture.
    pub(super) fn record(&mut self, way: Direction, bytes: impl FnOnce() -> bytes::Bytes) -> Result<(), PartnerError> {
        let Some((file, path)) = &mut self.0 else { return Ok(()) };
        let bytes = bytes();
        let letter = match way {
            Direction::Out => 'O',
            Direction::In => 'I',
        };
        let mut text = format!("{letter} 00:00:00\n");
        for (row, line) in bytes.chunks(16).enumerate() {
            let _ = write!(text, "{:06x}", row * 16);
            line.iter().for_each(|byte| {
                let _ = write!(text, " {byte:02x}");
            });
            text.push('\n');
        }
        text.push('\n');
        file.write_all(text.as_bytes()).map_err(|e| PartnerError::file(path, e))
    }
}
