//! What a configuration says, checked and typed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::Secret;
use crate::channel::{Definition, Identity};
use crate::mapping::{Destination, Policy};
use crate::target::Outlets;
use crate::target::address::BrokerAddress;

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file, as the operator named it.
    pub file: PathBuf,
    /// `name`: our queue-manager name, as partners see it.
    pub name: String,
    /// `deadq`: where messages go that cannot be delivered.
    pub deadq: Destination,
    /// `[listener] address`.
    pub listener: SocketAddr,
    /// `[broker]`.
    pub broker: BrokerPlan,
    /// `[admin] address`.
    pub admin: SocketAddr,
    /// `[[channel]]`, in the order of the file; no two of one name.
    pub channels: Vec<Definition>,
    /// `rqmname` and `xmitq` of sending channels, by the channel's name.
    pub outlets: HashMap<String, Outlets>,
    /// `name`, `aliases`, `qmgrs`, `unknown_reply`, `[broker] name` and `[[route]]`, as the mapping asks for them for each message.
    pub policy: Policy,
}

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct BrokerPlan {
    /// `url`: a broker address as ActiveMQ users write it, or `embedded:DIR`.
    pub url: String,
    /// The same, read.
    pub address: BrokerAddress,
    /// `name`: what ids that this broker made are told from another broker's by; blank unless it was given.
    pub name: String,
    /// `user`, with what `password_file` or `password_env` hold.
    pub login: Option<Login>,
    /// Files for TLS; all none for an address without TLS.
    pub tls: TlsFiles,
}

/// Who we are to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password.
    pub password: Secret,
}

/// PEM files for TLS; they were there and readable when the configuration was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// `ca_file`: authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `cert_file`: our certificate, with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// `key_file`: its private key.
    pub key_file: Option<PathBuf>,
}

impl Plan {
    /// How we show ourselves to partners. The queue-manager id is made of the name alone, so that it is the same for every copy of the gateway.
    pub fn identity(&self) -> Identity {
        Identity { qmgr_name: self.name.clone(), qmgr_id: format!("{}_MQFERRY", self.name) }
    }

    /// The definition of a channel.
    pub fn channel(&self, name: &str) -> Option<&Definition> {
        self.channels.iter().find(|channel| channel.name == name)
    }
}
