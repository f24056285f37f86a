//! One budget of memory for all channels: it bounds, and nobody waits for ever.

use mqferry::mapping::Destination;
use mqferry::partner::generator::Numbered;
use mqferry::partner::{Options, run};
use mqferry::wire::ControlFlags1;

use crate::caller::{CONFIRM, Caller, luwid, message, part, whole};
use crate::stage::{CHANNEL, Setup, Stage, channel, numbers, options};

/// Twenty channels with messages of up to 200 KiB, and room for about one of them: all arrive, each channel in order.
#[tokio::test]
async fn many_channels_with_large_messages_share_little_room() {
    const CHANNELS: usize = 20;
    const MESSAGES: u64 = 12;
    let name = |number: usize| format!("QM1.TO.GW.{number}");
    let text: String = (0..CHANNELS).map(|number| channel(&name(number), "")).collect();
    let stage = Stage::with(Setup { text, memory: 256 * 1024, ..Setup::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let sends = (0..CHANNELS).map(|number| {
        let own = folder.path().join(number.to_string());
        std::fs::create_dir(&own).unwrap();
        let queue = format!("Q{number}");
        let half = MESSAGES / 2;
        Numbered { size: 100, ..Numbered::new(half, &queue, "GW") }.put(&own).unwrap();
        Numbered { first: half + 1, size: 200_000, ..Numbered::new(half, &queue, "GW") }.put(&own).unwrap();
        let options = Options { channel: name(number), ..options(stage.address(), &own) };
        async move { run(&options).await }
    });
    let all = tokio::time::timeout(crate::caller::PATIENCE, futures_util::future::join_all(sends)).await;
    for report in all.expect("no deadlock") {
        assert_eq!(report.unwrap().confirmed, MESSAGES);
    }
    for number in 0..CHANNELS {
        let got = numbers(&stage.memory.at(&Destination::Queue(format!("Q{number}"))));
        assert_eq!(got, (1..=MESSAGES).collect::<Vec<_>>(), "channel {number}");
    }
    stage.end().await;
}

/// Large messages that began and never end hold all room that large ones have; small ones pass.
#[tokio::test]
async fn messages_that_never_end_hold_up_only_large_ones() {
    let text: String = [CHANNEL, "SLOW.1", "SLOW.2", "SLOW.3"].iter().map(|name| channel(name, "")).collect();
    let stage = Stage::with(Setup { text, memory: 8 << 20, ..Setup::default() }).await;
    let mut slow = Vec::new();
    for name in ["SLOW.1", "SLOW.2", "SLOW.3"] {
        let mut caller = Caller::bound(stage.address(), name, "QM7").await;
        caller.say(&part(1, luwid(1), ControlFlags1::FIRST, &[0; 600], 4_000_000)).await;
        caller.say(&part(1, luwid(1), ControlFlags1::empty(), &[0; 600], 4_000_000)).await;
        slow.push(caller);
    }
    stage.put(1, 200, "Q");
    let report = stage.send(&stage.options()).await.unwrap();
    assert_eq!(report.confirmed, 200);
    drop(slow);
    stage.end().await;
}

/// Who waits for room can be taken over, or the partner would be locked out for as long as the wait is.
#[tokio::test]
async fn a_channel_that_waits_for_room_can_be_taken_over() {
    let text = format!("{}{}", channel(CHANNEL, ""), channel("GREEDY", ""));
    let stage = Stage::with(Setup { text, memory: 4 << 20, ..Setup::default() }).await;
    let mut greedy = Caller::bound(stage.address(), "GREEDY", "QM7").await;
    greedy.say(&part(1, luwid(1), ControlFlags1::FIRST, &[0; 600], 4_000_000)).await;
    stage.until("it has the room", || stage.board.status("GREEDY").unwrap().bytsrcvd > 600).await;
    let large = message(1, "Q", "GW", 2_000_000);
    let mut first = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    first.say(&part(1, luwid(1), ControlFlags1::FIRST, &large[..20_000], large.len())).await;
    stage.until("it waits", || stage.status().bytsrcvd > 20_000).await;
    let mut second = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    first.closed().await;
    second.say(&whole(1, luwid(2), CONFIRM, &message(1, "Q", "GW", 60))).await;
    second.confirmed(luwid(2)).await;
    assert_eq!(stage.at("Q"), [1]);
    drop((greedy, first, second));
    stage.end().await;
}
