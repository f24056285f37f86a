//! What a client opens and closes: connection, sessions, producers, consumers, destinations.

use super::handshake::Throwable;
use super::ids::{BrokerId, ConnectionId, ConsumerId, ProducerId, SessionId};
use super::structure::{Structure, structure};
use crate::mapping::Destination;

structure! {
    /// Logs a client in. Want an answer: an exception says why not. `Debug` does not show the password.
    #[derive(Clone, PartialEq, Eq)]
    ConnectionInfo = command 3 {
        /// The connection's name.
        connection_id: ConnectionId;
        /// JMS client id; a second connection with the same one is refused while the first lives.
        client_id: Option<String>;
        /// Password.
        password: Option<String>;
        /// User name.
        user_name: Option<String>;
        /// Brokers that it came through.
        broker_path: Option<Vec<BrokerId>>;
        /// A broker connects, of an old way of having two.
        broker_master_connector: bool;
        /// May be seen and closed by the broker's administrator.
        manageable: bool;
        /// The client decides what it connects to; the Java client says true.
        client_master: bool;
        /// The client reconnects by itself.
        fault_tolerant: bool;
        /// It is a reconnection.
        failover_reconnect: bool;
        /// Filled in by the broker.
        client_ip: Option<String>;
    }
}

impl ConnectionInfo {
    /// A client's first connection, without client id and login.
    pub fn new(connection_id: ConnectionId) -> Self {
        Self {
            connection_id,
            client_id: None,
            password: None,
            user_name: None,
            broker_path: None,
            broker_master_connector: false,
            manageable: false,
            client_master: true,
            fault_tolerant: false,
            failover_reconnect: false,
            client_ip: None,
        }
    }
}

impl std::fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionInfo")
            .field("connection_id", &self.connection_id)
            .field("client_id", &self.client_id)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("user_name", &self.user_name)
            .field("broker_path", &self.broker_path)
            .field("broker_master_connector", &self.broker_master_connector)
            .field("manageable", &self.manageable)
            .field("client_master", &self.client_master)
            .field("fault_tolerant", &self.fault_tolerant)
            .field("failover_reconnect", &self.failover_reconnect)
            .field("client_ip", &self.client_ip)
            .finish()
    }
}

structure! {
    /// Opens a session.
    #[derive(Clone, Debug, PartialEq, Eq)]
    SessionInfo = command 4 {
        /// Its name.
        session_id: SessionId;
    }
}

structure! {
    /// Opens a consumer; messages come from then on.
    #[derive(Clone, Debug, PartialEq)]
    ConsumerInfo = command 5 {
        /// Its name.
        consumer_id: ConsumerId;
        /// It looks without taking; a dispatch without a message says that that was all.
        browser: bool;
        /// Where from.
        destination: Option<Destination>;
        /// How many messages may be unacknowledged; 0: none comes unless it is pulled.
        prefetch_size: i32;
        /// Of topics: how many may wait for a slow consumer.
        maximum_pending_message_limit: i32;
        /// The broker may dispatch from another thread than the producer's; Java clients say true.
        dispatch_async: bool;
        /// JMS selector.
        selector: Option<String>;
        /// The client id as the subscription knows it.
        client_id: Option<String>, since 10;
        /// Name of a durable subscription.
        subscription_name: Option<String>;
        /// Not what this connection sent.
        no_local: bool;
        /// It alone gets messages, while others wait.
        exclusive: bool;
        /// Of topics: also what was before.
        retroactive: bool;
        /// -128 to 127; higher ones get messages first.
        priority: i8;
        /// Brokers that it came through.
        broker_path: Option<Vec<BrokerId>>;
        /// A filter of a network connector.
        additional_predicate: Option<Structure>;
        /// It is a network connector's.
        network_subscription: bool;
        /// It acknowledges in bulk.
        optimized_acknowledge: bool;
        /// It acknowledges each message by itself.
        no_range_acks: bool;
        /// Consumers behind it in a network.
        network_consumer_path: Option<Vec<ConsumerId>>;
    }
}

impl ConsumerInfo {
    /// A plain consumer with a window of `prefetch_size` messages.
    pub fn new(consumer_id: ConsumerId, destination: Destination, prefetch_size: i32) -> Self {
        Self {
            consumer_id,
            browser: false,
            destination: Some(destination),
            prefetch_size,
            maximum_pending_message_limit: 0,
            dispatch_async: true,
            selector: None,
            client_id: None,
            subscription_name: None,
            no_local: false,
            exclusive: false,
            retroactive: false,
            priority: 0,
            broker_path: None,
            additional_predicate: None,
            network_subscription: false,
            optimized_acknowledge: false,
            no_range_acks: false,
            network_consumer_path: None,
        }
    }
}

structure! {
    /// Opens a producer.
    #[derive(Clone, Debug, PartialEq, Eq)]
    ProducerInfo = command 6 {
        /// Its name.
        producer_id: ProducerId;
        /// Where to; none: each message says.
        destination: Option<Destination>;
        /// Brokers that it came through.
        broker_path: Option<Vec<BrokerId>>;
        /// The broker may dispatch from another thread.
        dispatch_async: bool;
        /// Bytes that may be under way until a [`ProducerAck`](super::ProducerAck); 0: no such window.
        window_size: i32;
    }
}

impl ProducerInfo {
    /// A producer for any destination, without a window.
    pub fn new(producer_id: ProducerId) -> Self {
        Self { producer_id, destination: None, broker_path: None, dispatch_async: false, window_size: 0 }
    }
}

structure! {
    /// Adds or removes a destination by itself.
    #[derive(Clone, Debug, PartialEq, Eq)]
    DestinationInfo = command 8 {
        /// Whose connection.
        connection_id: ConnectionId;
        /// Which.
        destination: Option<Destination>;
        /// 0 add, 1 remove.
        operation_type: u8;
        /// Milliseconds to wait for its being unused.
        timeout: i64;
        /// Brokers that it came through.
        broker_path: Option<Vec<BrokerId>>;
    }
}

structure! {
    /// Closes what has this id: a connection, session, producer or consumer.
    #[derive(Clone, Debug, PartialEq)]
    RemoveInfo = command 12 {
        /// Which.
        object_id: Option<Structure>;
        /// The broker's number of the last message that was delivered; -1: unknown.
        last_delivered_sequence_id: i64;
    }
}

structure! {
    /// The side will send nothing more.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    ShutdownInfo = command 11 {}
}

structure! {
    /// A word to the other side's administration.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ControlCommand = command 14 {
        /// The word.
        command: Option<String>;
    }
}

structure! {
    /// Asks for what is held back.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    FlushCommand = command 15 {}
}

impl RemoveInfo {
    /// Closes it; nothing is said of what was delivered.
    pub fn new(object_id: Structure) -> Self {
        Self { object_id: Some(object_id), last_delivered_sequence_id: -1 }
    }
}

/// What the log may show of a refusal.
impl super::ExceptionResponse {
    /// The exception; an empty one if there is none.
    pub fn throwable(&self) -> Throwable {
        self.exception.clone().unwrap_or_default()
    }
}
