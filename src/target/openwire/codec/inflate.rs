//! Compressed content, as a Java client with `useCompression` sends it. We never compress.

use bytes::Bytes;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::error::{DecodeError, Problem};

/// The most that content may inflate to: as much as the largest frame that an ActiveMQ takes unless told otherwise.
const LIMIT: usize = 100 * 1024 * 1024;

/// Inflates a zlib stream.
pub(super) fn inflate(bytes: &[u8], structure: &'static str) -> Result<Bytes, DecodeError> {
    decompress_to_vec_zlib_with_limit(bytes, LIMIT).map(Bytes::from).map_err(|_| DecodeError {
        structure,
        field: "content",
        offset: 0,
        problem: Problem::NotInflated { limit: LIMIT },
    })
}
