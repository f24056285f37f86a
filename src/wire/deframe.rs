//! Segments off a byte buffer, none longer than agreed.
