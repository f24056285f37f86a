//! The byte stream to a broker, plain or TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::address::{Brokers, Endpoint};
use super::{Side, TargetError};
use crate::tls::{self, ClientFiles};

/// A connected socket, in TLS where the address says so.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What TLS needs, if any broker of the list uses it; the files are read now.
///
/// # Errors
/// When certificates or keys cannot be used.
pub(super) fn tls_for(brokers: &Brokers, files: &ClientFiles) -> Result<Option<Arc<ClientConfig>>, TargetError> {
    if !brokers.endpoints.iter().any(|endpoint| endpoint.tls) {
        return Ok(None);
    }
    let config = tls::client_config(files).map_err(|error| TargetError {
        side: Side::Ours,
        text: error.to_string(),
        retry: false,
    })?;
    Ok(Some(config))
}

/// Connects. `connector` is what the broker calls the port's owner, for messages: "AMQP", "OpenWire".
///
/// # Errors
/// When nobody listens, or TLS cannot be agreed.
pub(super) async fn dial(
    endpoint: &Endpoint,
    tls: Option<&Arc<ClientConfig>>,
    connector: &str,
) -> Result<Stream, TargetError> {
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(|error| TargetError {
        side: Side::Network,
        text: format!(
            "{endpoint} cannot be reached: {error}: check that the broker runs and its {connector} connector has this port"
        ),
        retry: true,
    })?;
    // Without it a commit waits about 40 ms for delayed acknowledgements.
    stream.set_nodelay(true).map_err(|error| TargetError {
        side: Side::Network,
        text: format!("{endpoint}: {error}"),
        retry: true,
    })?;
    match tls.filter(|_| endpoint.tls) {
        None => Ok(Stream::Plain(stream)),
        Some(config) => match tls::connect(config, &endpoint.host, stream).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(error) => Err(TargetError {
                side: if error.retry { Side::Network } else { Side::Broker },
                text: format!("{endpoint}: {error}"),
                retry: error.retry,
            }),
        },
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
