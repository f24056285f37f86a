//! From a plan to a gateway that runs: ports first, then the target, then the listener; nothing is half-started.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::admin::server::{self, cannot_listen};
use crate::admin::{Admin, ChannelBoard, Health};
use crate::config::{BrokerPlan, Plan};
use crate::mover::{self, Handle, MemoryBudget, Settings};
use crate::target::address::{BrokerAddress, Brokers};
use crate::target::{AmqpTarget, Embedded, Limits, Login, OpenWireTarget, Source};
use crate::telemetry::Metrics;
use crate::tls::ClientFiles;

/// Room in bytes for messages in flight on all channels together.
const MEMORY: usize = 256 << 20;

/// A running gateway and what operators reach of it.
#[derive(Debug)]
pub(super) struct Gateway {
    /// The running channels.
    pub(super) handle: Handle,
    /// Status, metrics, readiness.
    pub(super) admin: Admin,
}

/// Takes a port, or says in one line who else might have it.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::Failed(anyhow::anyhow!("{}", cannot_listen(address, "[listener]", &error))))
}

/// How a plan gets into its broker.
fn access(broker: &BrokerPlan) -> (Option<Login>, ClientFiles) {
    let login = broker.login.as_ref().map(|login| Login {
        user: login.user.clone(),
        password: zeroize::Zeroizing::new(login.password.expose().to_owned()),
    });
    let files = ClientFiles {
        ca_file: broker.tls.ca_file.clone(),
        cert_file: broker.tls.cert_file.clone(),
        key_file: broker.tls.key_file.clone(),
    };
    (login, files)
}

/// The AMQP target that a plan names.
pub(super) fn amqp(broker: &BrokerPlan, brokers: Brokers) -> Result<AmqpTarget, Failure> {
    let (login, files) = access(broker);
    AmqpTarget::new(brokers, login, &files, Limits::default()).map_err(|error| Failure::Wrong(error.to_string()))
}

/// The OpenWire target that a plan names.
pub(super) fn openwire(broker: &BrokerPlan, brokers: Brokers) -> Result<OpenWireTarget, Failure> {
    let (login, files) = access(broker);
    OpenWireTarget::new(brokers, login, &files, Limits::default()).map_err(|error| Failure::Wrong(error.to_string()))
}

/// Starts the gateway of `plan` on a listener that is already bound.
pub(super) async fn start(plan: &Plan, listener: TcpListener) -> Result<Gateway, Failure> {
    match plan.broker.address.clone() {
        BrokerAddress::Embedded(dir) => {
            let target = Embedded::open(dir).await.map_err(|error| Failure::Failed(error.into()))?;
            start_on(plan, target, listener).await
        }
        BrokerAddress::Amqp(brokers) => start_on(plan, amqp(&plan.broker, brokers)?, listener).await,
        BrokerAddress::OpenWire(brokers) => start_on(plan, openwire(&plan.broker, brokers)?, listener).await,
    }
}

/// Reads a broker address.
pub(super) fn address(url: &str) -> Result<BrokerAddress, Failure> {
    url.parse().map_err(|error: crate::target::address::AddressError| Failure::Wrong(error.to_string()))
}

/// Starts the gateway on a target, unless that refuses us in a way that only a person can mend. One that is merely away
/// may come back: partners are told to try again later.
async fn start_on<T: Source>(plan: &Plan, target: T, listener: TcpListener) -> Result<Gateway, Failure> {
    let metrics = Metrics::new().map_err(anyhow::Error::from)?;
    let board = ChannelBoard::new(&plan.channels, &metrics);
    let health = Health::new(&metrics);
    let found = target.look().await;
    if let Err(error) = &found
        && !error.retry
    {
        return Err(Failure::Failed(error.clone().into()));
    }
    health.target(found.map_err(|error| error.text));
    let admin = Admin { board: board.clone(), metrics: metrics.clone(), health: health.clone() };
    let settings = Settings {
        identity: plan.identity(),
        definitions: plan.channels.iter().map(|channel| (channel.name.clone(), channel.clone())).collect(),
        outlets: plan.outlets.clone(),
        policy: plan.policy.clone(),
        deadq: plan.deadq.clone(),
        memory: MemoryBudget::new(MEMORY),
        board,
        metrics,
        health,
    };
    let handle = mover::start(settings, target, listener)?;
    Ok(Gateway { handle, admin })
}

/// Serves the admin address until `stop`.
pub(super) fn serve_admin(listener: TcpListener, admin: Admin, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = server::serve(listener, admin, stop).await {
            tracing::error!(%error, "the admin address is gone; channels go on");
        }
    })
}
