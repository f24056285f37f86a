//! Getting in: logins, rights, wrong ports, TLS, failover lists, and what `check` says about each.

use std::time::Duration;

use mqferry::target::{Claim, OpenWireTarget, Severity, Target};
use mqferry::tls::ClientFiles;

use super::real_target::{Amqp, OpenWire, Protocol as _, complaints, ours, refusal, within};
use super::support::broker::{Broker, free_port};
use super::support::certificates::Certificates;

async fn works(target: &OpenWireTarget) {
    ours(target, "DOORS").await.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_door_is_called_what_it_is() {
    let certificates = Certificates::make("dns:localhost");
    let broker = Broker::builder()
        .tls(&certificates)
        .user("mqferry", "right", "admins")
        .user("app", "secret", "apps")
        .grant("queue://ORDERS", "apps", "apps", "apps")
        .grant("topic://ActiveMQ.Advisory.>", "apps,admins", "apps,admins", "apps,admins")
        .start();
    let trusting = ClientFiles { ca_file: Some(certificates.ca_file()), ..ClientFiles::default() };
    let login = Some(("mqferry", "right"));
    let url = broker.openwire_url();

    // The password, which is not shown.
    let error = refusal(&OpenWire::target(&url, Some(("mqferry", "hunter2")))).await;
    assert!(!error.retry && error.text.contains("check user and password_file"), "{error:?}");
    assert!(error.text.contains("\"mqferry\"") && !error.text.contains("hunter2"), "{error}");
    let error = refusal(&OpenWire::target(&url, None)).await;
    assert!(!error.retry && error.text.contains("set user and password_file"), "{error:?}");
    works(&OpenWire::target(&url, login)).await;
    complaints::<OpenWire>(&OpenWire::target(&url, login), |found| found.is_empty()).await;

    // The rights.
    let app = OpenWire::target(&url, Some(("app", "secret")));
    let error = refusal(&app).await;
    assert!(error.text.contains("needs read, write and admin on MQFERRY.>") && !error.retry, "{error:?}");
    let denied = |(severity, text): &(Severity, String)| *severity == Severity::Error && text.contains("MQFERRY.>");
    complaints::<OpenWire>(&app, |found| found.iter().any(denied)).await;

    // The port: OpenWire to AMQP and back, plain to TLS and back, nobody.
    let error = refusal(&OpenWire::target(&url.replace(&port(&url), &broker.port("amqp").to_string()), login)).await;
    assert!(error.text.contains("this is an AMQP port") && error.text.contains("61616") && !error.retry, "{error:?}");
    let error = refusal(&Amqp::target(&url.replace("tcp:", "amqp:"), login)).await;
    assert!(error.text.contains("this is an OpenWire port") && error.text.contains("5672"), "{error:?}");
    let plain_on_tls = broker.ssl_url().replace("ssl:", "tcp:");
    let error = refusal(&OpenWire::target(&plain_on_tls, login)).await;
    assert!(error.text.contains("ssl://"), "{error:?}");
    let tls_on_plain = url.replace("tcp:", "ssl:").replace("127.0.0.1", "localhost");
    let error = refusal(&OpenWire::target_with(&tls_on_plain, login, &trusting)).await;
    assert!(error.text.contains("does not speak TLS") && !error.retry, "{error:?}");
    let error = refusal(&OpenWire::target(&format!("tcp://127.0.0.1:{}", free_port()), login)).await;
    assert!(error.text.contains("cannot be reached") && error.retry, "{error:?}");

    // The certificate.
    works(&OpenWire::target_with(&broker.ssl_url(), login, &trusting)).await;
    let trusted = OpenWire::target_with(&broker.ssl_url(), login, &trusting);
    complaints::<OpenWire>(&trusted, |found| found.is_empty()).await;
    let other_name = broker.ssl_url().replace("localhost", "127.0.0.1");
    let error = refusal(&OpenWire::target_with(&other_name, login, &trusting)).await;
    assert!(error.text.contains("use a host name that the certificate contains") && !error.retry, "{error:?}");
    let stranger = Certificates::make("dns:localhost");
    let files = ClientFiles { ca_file: Some(stranger.ca_file()), ..ClientFiles::default() };
    let error = refusal(&OpenWire::target_with(&broker.ssl_url(), login, &files)).await;
    assert!(error.text.contains("set ca_file") && !error.retry, "{error:?}");
}

fn port(url: &str) -> String {
    url.rsplit(':').next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_wants_our_certificate_gets_it_and_one_that_lets_ids_be_stolen_is_refused() {
    let certificates = Certificates::make("dns:localhost");
    let broker = Broker::builder()
        .tls(&certificates)
        .tls_option("transport.needClientAuth=true")
        .openwire_option("allowLinkStealing=true")
        .start();
    let ca_file = Some(certificates.ca_file());
    let nameless = ClientFiles { ca_file: ca_file.clone(), ..ClientFiles::default() };
    let target = OpenWire::target_with(&broker.ssl_url(), None, &nameless);
    let error = target.look().await.unwrap_err();
    assert!(error.text.contains("ertificate"), "{error:?}");
    let (cert, key_file) = certificates.client("gateway");
    let files = ClientFiles { ca_file, cert_file: Some(cert), key_file: Some(key_file) };
    let target = OpenWire::target_with(&broker.ssl_url(), None, &files);
    let error = refusal(&target).await;
    assert!(error.text.contains("set allowLinkStealing=false on its OpenWire connector") && !error.retry, "{error:?}");
    // Let in, and one fault.
    let one =
        |found: &[(Severity, String)]| matches!(found, [(Severity::Error, text)] if text.contains("allowLinkStealing"));
    complaints::<OpenWire>(&target, one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_list_is_tried_in_order_until_one_serves() {
    let mut first = Broker::start();
    let mut standby = first.standby();
    let list = format!("failover:({},{})", first.openwire_url(), standby.openwire_url());
    let both = OpenWire::target(&format!("{list}?initialReconnectDelay=50&maxReconnectDelay=500"), None);
    works(&both).await;
    let standing_by = |found: &[(Severity, String)]| matches!(found, [(Severity::Warning, text)] if text.contains("right for a standby"));
    complaints::<OpenWire>(&both, standing_by).await;
    let mut claim = ours(&both, "DOORS").await;
    first.kill9();
    let error = within(Duration::from_secs(30), "noticing", claim.lost()).await;
    assert!(error.retry, "{error:?}");
    drop(claim);
    standby.wait_until_active();
    works(&both).await;
    standby.kill9();
    complaints::<OpenWire>(&both, |found| matches!(found, [(Severity::Error, _), (Severity::Error, _)])).await;
    // A start that is to give up does so, and says why; a running gateway would go on looking.
    let limited = OpenWire::target(&format!("{list}?startupMaxReconnectAttempts=2&initialReconnectDelay=20"), None);
    let error = limited.look().await.unwrap_err();
    assert!(!error.retry && error.text.contains("tried 3 times"), "{error:?}");
}
