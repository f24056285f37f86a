//! ActiveMQ over OpenWire, its own protocol.
//!
//! | file | does |
//! |---|---|
//! | `codec` | bytes to commands and back, pure |

pub mod codec;
