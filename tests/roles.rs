//! Who calls and who sends: requesters, on which the gateway calls and the partner sends; a server that calls a receiver;
//! PING; and the cycle of sequence numbers, with each way to ask and each place for a death right at the wrap.

#[path = "support/pcap.rs"]
mod pcap;
#[path = "support/relay.rs"]
mod relay;
#[path = "support/stage.rs"]
mod stage;

use std::time::Duration;

use mqferry::admin::status::ChannelState;
use mqferry::partner::generator::Numbered;
use mqferry::partner::{
    ConfirmRequest, Death, Options, PartnerError, Report, Resync, Speech, Step, call_back, ping, serve,
};
use mqferry::wire::StatusCode;
use relay::{Cut, Relay};
use stage::{CHANNEL, Setup, Stage, channel, until};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway whose one channel is a requester that calls a queue manager's listener, through a relay.
struct Roles {
    stage: Stage,
    relay: Relay,
    listener: TcpListener,
}

impl Roles {
    async fn set(more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::start(listener.local_addr().unwrap()).await;
        let port = relay.address.port();
        let stage = Stage::with(requester(&format!("conname = \"127.0.0.1({port})\"\n{more}"))).await;
        Self { stage, relay, listener }
    }

    fn options(&self, speech: Speech) -> Options {
        Options { speech, batchsz: 3, ..self.stage.options() }
    }

    async fn serve(&self, options: &Options) -> Result<Report, PartnerError> {
        tokio::time::timeout(PATIENCE, serve(options, &self.listener)).await.expect("the run ends in time")
    }

    async fn state(&self, state: ChannelState) {
        until(&format!("{state:?}"), || self.stage.status().state == state).await;
    }

    fn assert_arrived(&self, count: u64) {
        assert_eq!(self.stage.at("TARGET"), (1..=count).collect::<Vec<_>>());
    }
}

fn requester(more: &str) -> Setup {
    let text = format!("[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"RQSTR\"\n{more}\n");
    Setup { text, ..Setup::default() }
}

#[tokio::test]
async fn a_server_sends_on_the_connection_of_the_requester_that_called_it() {
    let roles = Roles::set("").await;
    roles.stage.put(1, 7, "TARGET");
    let options = roles.options(Speech::default());
    let report = roles.serve(&options).await.unwrap();
    assert_eq!((report.confirmed, report.connections), (7, 1));
    assert!(report.counter_proposals > 0, "the partner's values are smaller");
    assert_eq!(report.agreed.unwrap().partner, "GW");
    // It ended in order: the next call is the operator's.
    roles.state(ChannelState::Inactive).await;
    roles.assert_arrived(7);
    roles.stage.put(8, 2, "TARGET");
    assert_eq!(roles.relay.accepted(), 1);
    let (report, ()) = tokio::join!(roles.serve(&options), async {
        roles.stage.board.start(CHANNEL).unwrap();
    });
    assert_eq!(report.unwrap().confirmed, 2);
    roles.state(ChannelState::Inactive).await;
    roles.assert_arrived(9);
    assert_eq!(roles.stage.status().rqmname, "QM1");
    roles.stage.end().await;
}

/// Both ends' open questions about such a call: what the requester sets, who speaks first, how the server answers.
#[tokio::test]
async fn in_every_dialect() {
    let settings = [
        "",
        "requester_capabilities = \"with_sender_bits\"",
        "requester_start = \"status\"",
        "initial_flags = \"first_last\"\nfap = 13",
        "initial_flags = \"none\"\nbyte_order = \"little\"\nalphabet = \"ebcdic\"\nccsid = 500",
        "fap = 1",
    ];
    let speeches = [
        Speech::default(),
        Speech { counters_silently: true, fap_level: 4, ..Speech::default() },
        Speech {
            fap_level: 13,
            first_last_everywhere: true,
            max_transmission_size: 4096,
            ..Speech::default().ebcdic()
        },
        Speech { fap_level: 1, ..Speech::default() },
    ];
    for setting in settings {
        for speech in &speeches {
            let roles = Roles::set(&format!("[channel.dialect]\n{setting}")).await;
            roles.stage.put(1, 4, "TARGET");
            let speech = Speech { waits_for_requester: setting.starts_with("requester_start"), ..speech.clone() };
            let report = roles.serve(&roles.options(speech.clone())).await;
            assert_eq!(report.unwrap_or_else(|error| panic!("{setting} {speech:?}: {error}")).confirmed, 4);
            roles.state(ChannelState::Inactive).await;
            roles.assert_arrived(4);
            roles.stage.end().await;
        }
    }
}

#[tokio::test]
async fn a_partner_that_is_away_is_called_again() {
    let roles = Roles::set("shortrty = 1000\nshorttmr = 0").await;
    roles.relay.set_refusing(true);
    roles.state(ChannelState::Retrying).await;
    until("three calls", || roles.relay.accepted() >= 3).await;
    let error = roles.stage.status().last_error.expect("an error");
    assert!(error.contains(&format!("127.0.0.1({})", roles.relay.address.port())), "{error}");
    roles.stage.put(1, 4, "TARGET");
    roles.relay.set_refusing(false);
    // Calls that were made before the queue manager listened may lie in its backlog, closed.
    assert_eq!(roles.serve(&roles.options(Speech::default())).await.unwrap().confirmed, 4);
    roles.state(ChannelState::Inactive).await;
    roles.assert_arrived(4);
    roles.stage.end().await.says_once(&["is retrying"]);
}

#[tokio::test]
async fn short_retries_then_long_ones_then_the_channel_is_stopped() {
    let roles = Roles::set("shortrty = 2\nshorttmr = 0\nlongrty = 3\nlongtmr = 0").await;
    roles.relay.set_refusing(true);
    roles.state(ChannelState::Stopped).await;
    assert!((5..=6).contains(&roles.relay.accepted()), "{} calls", roles.relay.accepted());
    roles.relay.set_refusing(false);
    roles.stage.put(1, 2, "TARGET");
    let options = roles.options(Speech::default());
    let (report, ()) = tokio::join!(roles.serve(&options), async {
        roles.stage.board.start(CHANNEL).unwrap();
    });
    assert_eq!(report.unwrap().confirmed, 2);
    roles.state(ChannelState::Inactive).await;
    let log = roles.stage.end().await;
    log.says_once(&["is stopped", "SHORTRTY", "mqferry channel start"]);
}

#[tokio::test]
async fn a_stop_ends_the_retries() {
    let roles = Roles::set("shorttmr = 3600").await;
    roles.relay.set_refusing(true);
    // The first call may have been made before; the second would come in an hour.
    roles.relay.cut(Cut::Reset);
    roles.state(ChannelState::Retrying).await;
    roles.stage.board.stop(CHANNEL).unwrap();
    roles.state(ChannelState::Stopped).await;
    let calls = roles.relay.accepted();
    roles.stage.board.start(CHANNEL).unwrap();
    until("a call at once", || roles.relay.accepted() > calls).await;
    roles.stage.end().await;
}

#[tokio::test]
async fn a_channel_that_broke_off_is_called_again_and_resynchronised() {
    let roles = Roles::set("shorttmr = 0").await;
    roles.stage.put(1, 30, "TARGET");
    let options = Options { pause_between_batches: Duration::from_millis(20), ..roles.options(Speech::default()) };
    let (report, ()) = tokio::join!(roles.serve(&options), async {
        for count in [3, 12, 21] {
            until("some batches", || roles.stage.memory.count() >= count).await;
            roles.relay.cut(Cut::Reset);
        }
    });
    let report = report.unwrap();
    assert!(report.connections >= 3, "{report:?}");
    roles.state(ChannelState::Inactive).await;
    roles.assert_arrived(30);
    roles.stage.end().await;
}

#[tokio::test]
async fn a_sender_ends_the_call_and_calls_back() {
    for status in [None, Some(StatusCode::CHANNEL_UNAVAILABLE), Some(StatusCode::USER_CLOSED)] {
        let roles = Roles::set("").await;
        roles.stage.put(1, 7, "TARGET");
        let options = roles.options(Speech::default());
        let called = call_back(&options, &roles.listener, status);
        let report = tokio::time::timeout(PATIENCE, called).await.expect("in time").unwrap();
        assert_eq!((report.confirmed, report.connections), (7, 1));
        // That was the channel's run: it is not called again after the pause of a minute, nor before.
        roles.state(ChannelState::Inactive).await;
        assert_eq!(roles.relay.accepted(), 1);
        roles.assert_arrived(7);
        roles.stage.end().await;
    }
}

#[tokio::test]
async fn addresses_are_tried_in_their_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Nobody listens on the discard port of this machine.
    let addresses = format!("conname = [\"127.0.0.1(9)\", \"127.0.0.1({})\"]", listener.local_addr().unwrap().port());
    let stage = Stage::with(requester(&addresses)).await;
    stage.put(1, 2, "TARGET");
    let options = stage.options();
    let report = tokio::time::timeout(PATIENCE, serve(&options, &listener)).await.expect("in time").unwrap();
    assert_eq!(report.confirmed, 2);
    stage.end().await;
}

#[tokio::test]
async fn what_cannot_be_agreed_on_is_said_with_both_values() {
    let roles = Roles::set("seqwrap = 1000").await;
    roles.stage.put(1, 1, "TARGET");
    let options = Options { seqwrap: 1000, ..roles.options(Speech::default()) };
    let other = Options { seqwrap: 999_999_999, retries: 0, ..options.clone() };
    let error = roles.serve(&other).await.unwrap_err();
    assert!(matches!(error, PartnerError::Negotiation(_)), "{error}");
    roles.state(ChannelState::Retrying).await;
    let (report, ()) = tokio::join!(roles.serve(&options), async {
        roles.stage.board.start(CHANNEL).unwrap();
    });
    assert_eq!(report.unwrap().confirmed, 1);
    roles.stage.end().await;
}

#[tokio::test]
async fn a_message_larger_than_the_target_takes_is_never_agreed_to() {
    let roles = Roles::set("").await;
    roles.stage.memory.set_max_message_bytes(Some((1 << 20) + (64 << 10)));
    roles.stage.put(1, 1, "TARGET");
    let report = roles.serve(&roles.options(Speech::default())).await.unwrap();
    assert_eq!(report.agreed.unwrap().max_msg_size, 1 << 20);
    assert_eq!(report.confirmed, 1);
    roles.stage.end().await;
}

/// A fully qualified server (channel flow 8): it calls a receiver as a sender does, and serves a requester that calls it,
/// with one transmission queue; each channel has numbers of its own.
#[tokio::test]
async fn a_server_calls_a_receiver_and_serves_a_requester() {
    let asks = "QM1.SERVES";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let requester = format!(
        "[[channel]]\nname = \"{asks}\"\nchltype = \"RQSTR\"\nconname = \"127.0.0.1({})\"\n",
        listener.local_addr().unwrap().port()
    );
    let text = format!("{}{requester}", channel(CHANNEL, ""));
    let stage = Stage::with(Setup { text, ..Setup::default() }).await;
    let calls = Options { batchsz: 3, ..stage.options() };
    stage.put(1, 7, "TARGET");
    let report = stage.send(&calls).await.unwrap();
    assert_eq!((report.confirmed, report.sequence), (7, 7));
    until("the call is over", || stage.status().state == ChannelState::Inactive).await;
    assert_eq!((stage.status().rqmname.as_str(), stage.status().lstseqno), ("QM1", 7));

    // Its other channel has a queue and a memory of its own.
    let queue = tempfile::tempdir().unwrap();
    let serves = Options { channel: asks.to_owned(), folder: queue.path().to_owned(), ..calls };
    Numbered { first: 8, size: 60, ..Numbered::new(4, "TARGET", "GW") }.put(queue.path()).unwrap();
    let report = tokio::time::timeout(PATIENCE, serve(&serves, &listener)).await.expect("in time").unwrap();
    assert_eq!((report.confirmed, report.sequence), (4, 4));
    until("both rest", || stage.board.all().iter().all(|status| status.state == ChannelState::Inactive)).await;
    assert_eq!(stage.at("TARGET"), (1..=11).collect::<Vec<_>>());
    assert_eq!((stage.status().lstseqno, stage.board.status(asks).unwrap().lstseqno), (7, 4));
    stage.end().await;
}

/// PING CHANNEL: the echo, in each way to speak and each length that fits a segment, and nothing else changes.
#[tokio::test]
async fn a_ping_touches_no_queue_and_no_number() {
    let stage = Stage::set().await;
    stage.put(1, 4, "TARGET");
    let options = Options { batchsz: 3, ..stage.options() };
    assert_eq!(stage.send(&options).await.unwrap().sequence, 4);
    let speeches = [
        Speech::default(),
        Speech::default().ebcdic(),
        Speech { fap_level: 1, first_last_everywhere: true, ..Speech::default() },
        Speech { fap_level: 13, resync: Resync::EachStart, ..Speech::default() },
    ];
    for speech in speeches {
        // IBM MQ's PING CHANNEL has DATALEN 16 to 32768; the longest here fills an agreed segment of 32766 bytes.
        for length in [16, 64, 32766 - 28 - 4] {
            let options = Options { speech: speech.clone(), ..options.clone() };
            let echoed = tokio::time::timeout(PATIENCE, ping(&options, length)).await.expect("in time");
            echoed.unwrap_or_else(|error| panic!("{length} bytes, {speech:?}: {error}"));
            // Else the next one would take the channel over.
            until("the ping is over", || stage.status().state == ChannelState::Inactive).await;
        }
    }
    assert_eq!(stage.log.lines(&["the partner pinged the channel"]).len(), 12, "{}", stage.log.text());
    let status = stage.status();
    assert_eq!((status.state, status.lstseqno, status.last_error), (ChannelState::Inactive, 4, None));
    stage.board.stop(CHANNEL).unwrap();
    let refused = tokio::time::timeout(PATIENCE, ping(&options, 64)).await.expect("in time").unwrap_err();
    let PartnerError::Refused { status, .. } = refused else { panic!("{refused}") };
    assert_eq!(status.code, Some(StatusCode::CHANNEL_UNAVAILABLE));
    stage.board.start(CHANNEL).unwrap();
    stage.put(5, 2, "TARGET");
    assert_eq!(stage.send(&options).await.unwrap().sequence, 6);
    assert_eq!(stage.at("TARGET"), [1, 2, 3, 4, 5, 6]);
    stage.end().await;
}

/// SEQWRAP 100, the lowest: 1 follows 100, within a batch and between two, on one connection and over many.
#[tokio::test]
async fn one_follows_the_wrap() {
    // 20 batches of 5 end at the wrap; batches of 7 have it as their second message; those of 50 are half a cycle.
    for (batchsz, agreed) in [(5, 5), (7, 7), (50, 50), (99, 50)] {
        for confirm in [ConfirmRequest::OnLastMessage, ConfirmRequest::StatusData] {
            let stage = wrapping().await;
            let options =
                Options { batchsz, seqwrap: 100, speech: Speech { confirm, ..Speech::default() }, ..stage.options() };
            stage.put(1, 230, "TARGET");
            let report = stage.send(&options).await.unwrap();
            assert_eq!((report.confirmed, report.sequence), (230, 30), "batches of {batchsz}, {confirm:?}");
            assert_eq!(report.agreed.unwrap().batchsz, agreed);
            stage.put(231, 70, "TARGET");
            assert_eq!(stage.send(&options).await.unwrap().sequence, 100);
            stage.put(301, 1, "TARGET");
            assert_eq!(stage.send(&options).await.unwrap().sequence, 1);
            assert_eq!(stage.at("TARGET"), (1..=301).collect::<Vec<_>>());
            assert_eq!(stage.status().lstseqno, 1);
            stage.end().await;
        }
    }
}

/// The batch that crosses the wrap, or ends at it, or begins behind it, is in doubt: asked about, or just sent again,
/// cut as before or otherwise.
#[tokio::test]
async fn a_batch_at_the_wrap_in_doubt_is_settled_once() {
    // Messages 98, 99, 100, 1, 2 or so: batches of five behind so many others.
    for (before, place) in [(96, "within the batch"), (95, "at its end"), (100, "before its first")] {
        for resync in [Resync::InDoubt, Resync::EachStart, Resync::Never] {
            for (step, kept) in [(Step::ConfirmNotStored, true), (Step::BetweenMessages, false)] {
                for first_batchsz in [None, Some(2), Some(7)] {
                    let case = format!("the wrap {place}, {resync:?}, {step:?}, cut {first_batchsz:?}");
                    let stage = wrapping().await;
                    let speech = Speech { resync, ..Speech::default() };
                    let options = Options { batchsz: 10, seqwrap: 100, speech, ..stage.options() };
                    stage.put(1, before, "TARGET");
                    assert_eq!(stage.send(&options).await.unwrap().confirmed, before, "{case}");
                    stage.put(before + 1, 12, "TARGET");
                    let dies =
                        Options { batchsz: 5, die_at: Some(Death { step, after: 0, abort: false }), ..options.clone() };
                    let died = stage.send(&dies).await.unwrap_err();
                    assert!(matches!(died, PartnerError::Died(_)), "{case}: {died}");
                    until("the end of the dead", || stage.status().state == ChannelState::Inactive).await;
                    let there = if kept { before + 5 } else { before };
                    assert_eq!(stage.at("TARGET").len() as u64, there, "{case}");
                    let again = Options { first_batchsz, ..options };
                    let report = stage.send(&again).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(u64::try_from(report.sequence).unwrap(), before + 12 - 100, "{case}");
                    let asked = kept && resync != Resync::Never;
                    assert_eq!(report.resync_committed, u64::from(asked), "{case}");
                    assert_eq!(stage.status().totals().repeated, if kept && !asked { 5 } else { 0 }, "{case}");
                    assert_eq!(stage.at("TARGET"), (1..=before + 12).collect::<Vec<_>>(), "{case}");
                    stage.end().await;
                }
            }
        }
    }
}

async fn wrapping() -> Stage {
    let text = channel(CHANNEL, "seqwrap = 100\nbatchsz = 200");
    Stage::with(Setup { text, ..Setup::default() }).await
}
