//! Whether messages arrived once, all, and in order.

pub(crate) use mqferry::partner::judge::{Difference, assert_once, compare};
