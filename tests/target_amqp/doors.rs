//! Getting in: logins, wrong ports, TLS, failover lists, and what `check` says about each.

use std::time::Duration;

use mqferry::target::{AmqpTarget, Claim, Claimed, Outcome, Severity, Target, Unit};
use mqferry::tls::ClientFiles;

use super::real_target::refusal;
use super::support::broker::{Broker, free_port};
use super::support::certificates::Certificates;
use super::target_contract::{key, luwid, record};
use super::{target, target_with};

async fn works(target: &AmqpTarget) {
    let Claimed::Ours(claim) = target.claim(&key("DOORS")).await.unwrap() else { panic!("held") };
    claim.release().await;
}

/// The texts of the findings that are no good.
async fn complaints(target: &AmqpTarget) -> Vec<(Severity, String)> {
    let findings = target.preflight().await;
    assert!(findings.iter().all(|finding| !finding.text.contains('\n')), "one line each: {findings:#?}");
    findings
        .into_iter()
        // A loaded machine is slow.
        .filter(|finding| finding.severity != Severity::Good && !finding.text.contains(" ms for a commit"))
        .map(|finding| (finding.severity, finding.text))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_for_a_person_and_is_not_shown() {
    let broker = Broker::builder().user("mqferry", "right", "admins").start();
    let error = refusal(&target(&broker.amqp_url(), Some(("mqferry", "hunter2")))).await;
    assert!(!error.retry, "{error:?}");
    assert!(error.text.contains("check user and password_file") && error.text.contains("\"mqferry\""), "{error}");
    assert!(!error.text.contains("hunter2"), "{error}");
    let error = refusal(&target(&broker.amqp_url(), None)).await;
    assert!(!error.retry && error.text.contains("set user and password_file"), "{error:?}");
    works(&target(&broker.amqp_url(), Some(("mqferry", "right")))).await;
    assert_eq!(complaints(&target(&broker.amqp_url(), Some(("mqferry", "right")))).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_port_is_called_what_it_is() {
    let certificates = Certificates::make("dns:localhost");
    let broker = Broker::builder().tls(&certificates).start();
    let trusting = ClientFiles { ca_file: Some(certificates.ca_file()), ..ClientFiles::default() };

    let openwire = format!("amqp://127.0.0.1:{}", broker.port("openwire"));
    let error = refusal(&target(&openwire, None)).await;
    assert!(
        error.text.contains("this is an OpenWire port: give that of the broker's AMQP connector") && !error.retry,
        "{error:?}"
    );
    let error = refusal(&target_with(&openwire.replace("amqp:", "amqps:"), None, &trusting)).await;
    assert!(error.text.contains("does not speak TLS") && !error.retry, "{error:?}");

    let error = refusal(&target(&format!("amqp://localhost:{}", broker.port("amqps")), None)).await;
    assert!(error.text.contains("amqps://"), "{error:?}");
    let error = refusal(&target(&format!("amqp://localhost:{}", broker.port("ssl")), None)).await;
    assert!(error.text.contains("amqps://"), "{error:?}");
    let error = refusal(&target_with(&format!("amqps://localhost:{}", broker.port("amqp")), None, &trusting)).await;
    assert!(error.text.contains("does not speak TLS") && !error.retry, "{error:?}");

    let error = refusal(&target(&format!("amqp://127.0.0.1:{}", free_port()), None)).await;
    assert!(error.text.contains("cannot be reached") && error.retry, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_checks_authority_and_host_name() {
    let certificates = Certificates::make("dns:localhost");
    let broker = Broker::builder().tls(&certificates).user("app", "secret", "admins").start();
    let login = Some(("app", "secret"));
    let trusting = ClientFiles { ca_file: Some(certificates.ca_file()), ..ClientFiles::default() };
    works(&target_with(&broker.amqps_url(), login, &trusting)).await;
    works(&target_with(&broker.amqps_url().replace("amqps:", "amqp+ssl:"), login, &trusting)).await;
    assert_eq!(complaints(&target_with(&broker.amqps_url(), login, &trusting)).await, []);

    let other_name = broker.amqps_url().replace("localhost", "127.0.0.1");
    let error = refusal(&target_with(&other_name, login, &trusting)).await;
    assert!(error.text.contains("use a host name that the certificate contains") && !error.retry, "{error:?}");
    let stranger = Certificates::make("dns:localhost");
    let files = ClientFiles { ca_file: Some(stranger.ca_file()), ..ClientFiles::default() };
    let error = refusal(&target_with(&broker.amqps_url(), login, &files)).await;
    assert!(error.text.contains("set ca_file") && !error.retry, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_list_is_tried_in_order_until_one_serves() {
    let mut first = Broker::start();
    let mut standby = first.standby();
    let both = target(&format!("failover:({},{})", first.amqp_url(), standby.amqp_url()), None);
    works(&both).await;
    let complaint = complaints(&both).await;
    assert!(
        matches!(&complaint[..], [(Severity::Warning, text)] if text.contains("right for a standby")),
        "{complaint:?}"
    );
    let Claimed::Ours(mut claim) = both.claim(&key("DOORS")).await.unwrap() else { panic!("held") };
    first.kill9();
    let error = tokio::time::timeout(Duration::from_secs(5), claim.lost()).await.expect("the end is noticed");
    assert!(error.retry, "{error:?}");
    drop(claim);
    standby.wait_until_active();
    works(&both).await;
    standby.kill9();
    let complaint = complaints(&both).await;
    assert_eq!(complaint.iter().map(|(severity, _)| *severity).collect::<Vec<_>>(), [Severity::Error; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lets_container_ids_be_stolen_is_refused() {
    let broker = Broker::builder().amqp_option("allowLinkStealing=true").start();
    let target = target(&broker.amqp_url(), None);
    let error = refusal(&target).await;
    assert!(error.text.contains("set allowLinkStealing=false") && !error.retry, "{error:?}");
    let complaint = complaints(&target).await;
    assert!(
        complaint.iter().any(|(severity, text)| *severity == Severity::Error && text.contains("allowLinkStealing"))
    );
}

/// How the library tells of a refused container id depends on which of its tasks looks first.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_id_in_use_is_recognised_every_time() {
    let broker = Broker::start();
    let url = broker.amqp_url();
    let looks: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                for _ in 0..15 {
                    // A new target asks anew whether the broker guards container ids.
                    target(&url, None).look().await.unwrap();
                }
            })
        })
        .collect();
    for look in looks {
        look.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_sees_a_transformer_that_would_hand_raw_bytes_to_applications() {
    for transformer in ["native", "raw"] {
        let broker = Broker::builder().amqp_option(&format!("transport.transformer={transformer}")).start();
        let complaint = complaints(&target(&broker.amqp_url(), None)).await;
        assert!(
            complaint.iter().any(|(severity, text)| *severity == Severity::Error && text.contains("transformer=jms")),
            "{transformer}: {complaint:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plug_in_that_gives_lifetimes_does_not_reach_the_record() {
    // It passes over messages without a timestamp, and the record has none.
    let broker = Broker::builder()
        .plugin(r#"<timeStampingBrokerPlugin zeroExpirationOverride="1000" ttlCeiling="1000"/>"#)
        .policy(r#"<policyEntry queue=">" expireMessagesPeriod="200"/>"#)
        .start();
    let target = target(&broker.amqp_url(), None);
    let Claimed::Ours(mut claim) = target.claim(&key("DOORS")).await.unwrap() else { panic!("held") };
    let unit = claim.begin(luwid(1)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));
    claim.release().await;
    assert_eq!(complaints(&target).await, []);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let Claimed::Ours(claim) = target.claim(&key("DOORS")).await.unwrap() else { panic!("held") };
    assert_eq!(claim.record(), Some(&record(luwid(1), 1..2)), "older than the lifetime, and still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_use_our_queues_is_told_which() {
    let broker = Broker::builder()
        .user("app", "secret", "apps")
        .grant("queue://ORDERS", "apps", "apps", "apps")
        .grant("topic://ActiveMQ.Advisory.>", "apps", "apps", "apps")
        .start();
    let target = target(&broker.amqp_url(), Some(("app", "secret")));
    let error = refusal(&target).await;
    assert!(error.text.contains("needs read, write and admin on MQFERRY.>") && !error.retry, "{error:?}");
    let complaint = complaints(&target).await;
    assert!(complaint.iter().any(|(severity, text)| *severity == Severity::Error && text.contains("MQFERRY.>")));
}
