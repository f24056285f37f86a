//! Accepts partners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::gateway::Gateway;
use super::instance::Instance;
use crate::target::Source;

/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and gives each an instance of its own, until the gateway shuts down.
pub(crate) async fn accept<T: Source>(gateway: Arc<Gateway<T>>, listener: TcpListener, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = gateway.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Segments are whole when they are written: waiting for more only delays confirms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
                }
                let gateway = gateway.clone();
                tasks.spawn(async move { serve(&gateway, stream, peer).await });
            }
            Err(error) => {
                if let Some(line) = gateway.note(&format!("a connection could not be accepted, trying again: {error}"))
                {
                    tracing::warn!("{line}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve<T: Source>(gateway: &Gateway<T>, stream: tokio::net::TcpStream, peer: SocketAddr) {
    let counts = &gateway.settings.metrics.listener;
    counts.accepted.increment(1);
    counts.connections.increment(1.0);
    Instance::new(gateway, stream, peer).run().await;
    counts.connections.decrement(1.0);
}
