//! mqferry from bytes to publications, and the codec of OpenWire: what the fuzzers call, and all that this needs.
#![allow(dead_code, reason = "what connections use is not here")]

#[path = "../../src/codepage/mod.rs"]
pub mod codepage;
#[path = "../../src/mapping/mod.rs"]
pub mod mapping;
#[path = "../../src/message/mod.rs"]
pub mod message;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

#[path = "../../src/target"]
pub mod target {
    mod error;
    pub use error::Refusal;

    #[path = "openwire"]
    pub mod openwire {
        pub mod codec;
        pub mod message;
    }
}
