//! CCSIDs to text and back.
