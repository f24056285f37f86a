//! What a test may ask of a broker, and the ActiveMQ configuration that says so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::broker::Broker;
use super::certificates::Certificates;

/// Options of a broker.
#[derive(Clone)]
pub struct BrokerBuilder {
    pub(super) users: Vec<User>,
    pub(super) heap_mb: u32,
    pub(super) version: Option<String>,
    grants: Vec<Grant>,
    store: Option<(u64, FullStore)>,
    max_frame: u64,
    amqp_options: String,
    openwire_options: String,
    tls_options: String,
    tls: Option<Certificates>,
    plugins: String,
    policies: String,
    networks: String,
    broker_name: String,
    memory: Option<u64>,
    forgives: bool,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    groups: String,
}

#[derive(Clone)]
struct Grant {
    destination: String,
    read: String,
    write: String,
    admin: String,
}

/// What a broker does with a persistent message when its store is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullStore {
    /// Lets the producer wait, as ActiveMQ does unless told otherwise.
    Block,
    /// Refuses the message.
    Fail,
}

impl Default for BrokerBuilder {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            heap_mb: 512,
            version: None,
            grants: Vec::new(),
            store: None,
            max_frame: 104_857_600,
            amqp_options: String::new(),
            openwire_options: String::new(),
            tls_options: String::new(),
            tls: None,
            plugins: String::new(),
            policies: String::new(),
            networks: String::new(),
            broker_name: "test".into(),
            memory: None,
            forgives: false,
        }
    }
}

impl BrokerBuilder {
    /// Starts it and waits until it serves.
    pub fn start(self) -> Broker {
        Broker::launch(self)
    }

    /// Adds a user; with the first one, nobody gets in without a password any more. `groups` is comma separated.
    pub fn user(mut self, name: &str, password: &str, groups: &str) -> Self {
        self.users.push(User { name: name.into(), password: password.into(), groups: groups.into() });
        self
    }

    /// Says which groups may read, write and create a destination (`queue://PAYMENTS.>`). With the first grant,
    /// whatever no grant names is closed to everybody but group `admins`.
    pub fn grant(mut self, destination: &str, read: &str, write: &str, admin: &str) -> Self {
        self.grants.push(Grant {
            destination: destination.into(),
            read: read.into(),
            write: write.into(),
            admin: admin.into(),
        });
        self
    }

    /// Size of the store in bytes, and what happens when it is full.
    pub fn store_limit(mut self, bytes: u64, full: FullStore) -> Self {
        self.store = Some((bytes, full));
        self
    }

    /// Memory for messages in the broker, in bytes; a policy says what a queue may have of it.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Another size of the store, if it has a limit.
    pub(super) fn store_size(mut self, bytes: u64) -> Self {
        if let Some((limit, _)) = &mut self.store {
            *limit = bytes;
        }
        self
    }

    /// Largest frame, and with it message, that the connectors take, in bytes.
    pub fn max_frame(mut self, bytes: u64) -> Self {
        self.max_frame = bytes;
        self
    }

    /// More URI options of the AMQP connector, such as `transport.wireFormat.idleTimeout=6000`.
    pub fn amqp_option(mut self, option: &str) -> Self {
        self.amqp_options.push_str("&amp;");
        self.amqp_options.push_str(option);
        self
    }

    /// More URI options of the OpenWire connector.
    pub fn openwire_option(mut self, option: &str) -> Self {
        self.openwire_options.push_str("&amp;");
        self.openwire_options.push_str(option);
        self
    }

    /// More URI options of the connectors with TLS alone, such as `transport.needClientAuth=true`.
    pub fn tls_option(mut self, option: &str) -> Self {
        self.tls_options.push_str("&amp;");
        self.tls_options.push_str(option);
        self
    }

    /// Adds the connectors `amqps` and `ssl` with these certificates.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(certificates.clone());
        self
    }

    /// Java heap in MiB; 512 unless told, which is little for messages of tens of MiB.
    pub fn heap_mb(mut self, heap_mb: u32) -> Self {
        self.heap_mb = heap_mb;
        self
    }

    /// Another version of ActiveMQ than the tests' own, one of `OTHER_BROKERS` in the Makefile.
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// An element for `<plugins>`, as ActiveMQ's own configuration has it.
    pub fn plugin(mut self, xml: &str) -> Self {
        self.plugins.push_str(xml);
        self
    }

    /// A `<policyEntry>`.
    pub fn policy(mut self, xml: &str) -> Self {
        self.policies.push_str(xml);
        self
    }

    /// The broker's name, `test` unless told; brokers of one network must differ.
    pub fn broker_name(mut self, name: &str) -> Self {
        self.broker_name = name.into();
        self
    }

    /// A `<networkConnector>`, which joins this broker to another.
    pub fn network(mut self, xml: &str) -> Self {
        self.networks.push_str(xml);
        self
    }

    /// Lets a transaction be committed of which a message was refused that asked for no answer.
    pub fn forgives_what_was_not_asked(mut self) -> Self {
        self.forgives = true;
        self
    }

    /// The configuration file. Connectors that have no port yet ask the system for one.
    pub(super) fn xml(&self, data: &Path, ports: &BTreeMap<String, u16>) -> String {
        format!(
            r#"<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
<broker xmlns="http://activemq.apache.org/schema/core" brokerName="{name}" useJmx="false" persistent="true"
  schedulerSupport="false" useShutdownHook="false" rollbackOnlyOnAsyncException="{asked}">
<destinationPolicy><policyMap><policyEntries>{policies}</policyEntries></policyMap></destinationPolicy>
<persistenceAdapter>
  <kahaDB directory="{data}" journalDiskSyncStrategy="always">
    <locker><shared-file-locker lockAcquireSleepInterval="500"/></locker>
  </kahaDB>
</persistenceAdapter>
<plugins>{plugins}</plugins>
{ssl}
{usage}
<networkConnectors>{networks}</networkConnectors>
<transportConnectors>{connectors}</transportConnectors>
</broker>
</beans>
"#,
            policies = self.policies,
            data = data.display(),
            plugins = self.plugins_xml(),
            ssl = self.tls.as_ref().map(ssl_xml).unwrap_or_default(),
            usage = self.usage_xml(),
            name = self.broker_name,
            asked = !self.forgives,
            networks = self.networks,
            connectors = self.connectors_xml(ports),
        )
    }

    fn plugins_xml(&self) -> String {
        let mut xml = self.plugins.clone();
        if !self.users.is_empty() {
            xml.push_str(r#"<simpleAuthenticationPlugin anonymousAccessAllowed="false"><users>"#);
            for user in &self.users {
                let (name, password, groups) = (escape(&user.name), escape(&user.password), escape(&user.groups));
                let _ =
                    write!(xml, r#"<authenticationUser username="{name}" password="{password}" groups="{groups}"/>"#);
            }
            xml.push_str("</users></simpleAuthenticationPlugin>");
        }
        if !self.grants.is_empty() {
            xml.push_str("<authorizationPlugin><map><authorizationMap><authorizationEntries>");
            xml.push_str(r#"<authorizationEntry queue=">" read="admins" write="admins" admin="admins"/>"#);
            xml.push_str(r#"<authorizationEntry topic=">" read="admins" write="admins" admin="admins"/>"#);
            for grant in &self.grants {
                let (kind, name) =
                    grant.destination.split_once("://").expect("queue://NAME or topic://NAME in a grant");
                let name = escape(name);
                let Grant { read, write, admin, .. } = grant;
                let _ = write!(
                    xml,
                    r#"<authorizationEntry {kind}="{name}" read="{read}" write="{write}" admin="{admin}"/>"#
                );
            }
            xml.push_str("</authorizationEntries></authorizationMap></map></authorizationPlugin>");
        }
        xml
    }

    fn usage_xml(&self) -> String {
        let fail = self.store.is_some_and(|(_, full)| full == FullStore::Fail);
        let memory = self.memory.map(|limit| format!(r#"<memoryUsage><memoryUsage limit="{limit}"/></memoryUsage>"#));
        let store = self.store.map(|(limit, _)| format!(r#"<storeUsage><storeUsage limit="{limit}"/></storeUsage>"#));
        let limits: String = memory.into_iter().chain(store).collect();
        if limits.is_empty() {
            return limits;
        }
        format!(r#"<systemUsage><systemUsage sendFailIfNoSpace="{fail}">{limits}</systemUsage></systemUsage>"#)
    }

    fn connectors_xml(&self, ports: &BTreeMap<String, u16>) -> String {
        let frame = format!("wireFormat.maxFrameSize={}", self.max_frame);
        let openwire = format!("{frame}{}", self.openwire_options);
        // Without the transformer an OpenWire reader would get the encoded AMQP message as bytes; without tcpNoDelay
        // every commit would wait for a delayed acknowledgement.
        let amqp = format!("{frame}&amp;transport.transformer=jms&amp;transport.tcpNoDelay=true{}", self.amqp_options);
        let with_tls = |options: &str| format!("{options}{}", self.tls_options);
        let (openwire_tls, amqp_tls) = (with_tls(&openwire), with_tls(&amqp));
        let mut all = vec![("openwire", "tcp", &openwire), ("amqp", "amqp", &amqp)];
        if self.tls.is_some() {
            all.extend([("ssl", "ssl", &openwire_tls), ("amqps", "amqp+ssl", &amqp_tls)]);
        }
        let mut xml = String::new();
        for (name, scheme, options) in all {
            let port = ports.get(name).copied().unwrap_or(0);
            let _ = write!(xml, r#"<transportConnector name="{name}" uri="{scheme}://127.0.0.1:{port}?{options}"/>"#);
        }
        xml
    }
}

fn ssl_xml(certificates: &Certificates) -> String {
    format!(
        r#"<sslContext><sslContext keyStore="file:{store}" keyStorePassword="{password}"
  trustStore="file:{store}" trustStorePassword="{password}"/></sslContext>"#,
        store = certificates.server_keystore().display(),
        password = Certificates::PASSWORD
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
