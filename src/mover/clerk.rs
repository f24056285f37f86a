//! Carries out what operators ask of a sending channel that has no connection: RESOLVE and RESET CHANNEL. Neither needs the
//! partner: the record and the messages in doubt are at the target, and whoever holds the channel's lease may change them.

use std::sync::Arc;

use super::gateway::Gateway;
use super::running::Slot;
use crate::admin::request::{Answered, Operation};
use crate::channel::sender::{Resolution, resolved};
use crate::channel::{ChannelKey, Definition, SendRecord};
use crate::target::{Claimed, Feed, Outcome, Source, Step};

/// Carries requests out, one after another, until the gateway ends.
pub(super) async fn serve<T: Source>(gateway: Arc<Gateway<T>>) {
    let Some(mut requests) = gateway.settings.board.requests() else { return };
    loop {
        let request = tokio::select! {
            () = gateway.shutdown.cancelled() => return,
            request = requests.recv() => match request {
                Some(request) => request,
                None => return,
            },
        };
        let done = carry_out(&gateway, &request.channel, request.operation).await;
        match &done {
            Ok(done) if done.changed => tracing::info!(channel = done.channel, "the operator: {}", done.text),
            Ok(_) => {}
            Err(why) => tracing::warn!(channel = request.channel, "the operator's request was not carried out: {why}"),
        }
        // Whoever asked may have given up waiting.
        let _ = request.answer.send(done);
    }
}

async fn carry_out<T: Source>(gateway: &Gateway<T>, name: &str, operation: Operation) -> Result<Answered, String> {
    let settings = &gateway.settings;
    let definition = settings.definitions.get(name).ok_or_else(|| format!("channel {name} is not defined"))?;
    let Some(outlets) = settings.outlets.get(name) else {
        return Err(format!("channel {name} receives; resolve or reset it at the queue manager that sends"));
    };
    let known = settings.board.status(name).map(|status| status.rqmname).filter(|known| !known.is_empty());
    let partner = known.or_else(|| outlets.rqmname.clone()).ok_or_else(|| {
        format!(
            "nobody has answered on channel {name} since the start, so whose record is meant is not known; set rqmname"
        )
    })?;
    let key = ChannelKey { gateway: settings.identity.qmgr_name.clone(), channel: name.to_owned(), partner };
    let slot: Slot = gateway.running.enter_when_free(&key).await.map_err(|address| {
        format!("channel {name} is in use, with {address}; stop it first: mqferry channel stop {name}")
    })?;
    let ahead = 2 * usize::from(definition.batchsz) + 1;
    let mut feed = match gateway.target.feed(&key, &outlets.outlets, ahead).await {
        Ok(Claimed::Ours(feed)) => feed,
        Ok(Claimed::Held(by)) => return Err(format!("the lease of channel {name} is held by {by}; stop it there")),
        Err(error) => return Err(error.text),
    };
    let done = match operation {
        Operation::Resolve(how) => resolve(&mut feed, name, how).await,
        Operation::Reset { seqnum, really } => reset(&mut feed, definition, seqnum, really).await,
    };
    let record = feed.record().cloned();
    feed.release().await;
    drop(slot);
    settings.board.update_idle(name, |status| status.recorded(record.as_ref()));
    if done.as_ref().is_ok_and(|done| done.changed) {
        settings.board.nudge(name);
    }
    done
}

async fn resolve<F: Feed>(feed: &mut F, name: &str, how: Resolution) -> Result<Answered, String> {
    let record = feed.record().cloned().unwrap_or_default();
    let (Some(doubt), Some(settled)) = (record.in_doubt, resolved(&record, how)) else {
        return Err(format!("channel {name} is not in doubt"));
    };
    let here = feed.in_doubt().await.map_err(|error| error.text)?;
    let (found, of) = (here.len(), doubt.messages);
    let retire = match how {
        Resolution::Commit => here.iter().map(|taken| taken.ticket).collect(),
        Resolution::Backout => Vec::new(),
    };
    write(feed, Step { record: settled, retire, ..Step::default() }).await?;
    let batch = format!("LUWID {} ({of} messages up to number {})", doubt.luwid, doubt.sequence);
    let all =
        if found == of { "its messages".to_owned() } else { format!("{found} of its messages, all that were there,") };
    let text = match how {
        Resolution::Commit => format!("{batch} counts as sent: {all} have left their queues"),
        Resolution::Backout => {
            format!("{batch} counts as not sent: {all} are sent again, from number {}", next(&record))
        }
    };
    Ok(Answered { channel: name.to_owned(), changed: true, text })
}

async fn reset<F: Feed>(feed: &mut F, definition: &Definition, seqnum: i32, really: bool) -> Result<Answered, String> {
    let name = &definition.name;
    if !(1..=definition.seqwrap).contains(&seqnum) {
        return Err(format!("{seqnum} is no sequence number of channel {name}; give 1 to {}", definition.seqwrap));
    }
    let record = feed.record().cloned().unwrap_or_default();
    if let Some(doubt) = record.in_doubt {
        return Err(format!(
            "channel {name} is in doubt about LUWID {} ({} messages up to number {}), which a reset would send twice or not at all; \
             resolve it first: mqferry channel resolve {name} commit|backout",
            doubt.luwid, doubt.messages, doubt.sequence
        ));
    }
    let before = next(&record);
    if really {
        let record = SendRecord { sequence: seqnum - 1, tell_reset: true, ..record };
        write(feed, Step { record, ..Step::default() }).await?;
    }
    let (has, told) = if really { ("has", "is told") } else { ("would have", "would be told") };
    let text = format!(
        "the next message {has} number {seqnum} instead of {before}; 0 messages are sent again and 0 skipped, for none is in doubt; the \
         partner {told} at the next start of the channel"
    );
    Ok(Answered { channel: name.clone(), changed: really, text })
}

/// Number of the next message, as long as it does not wrap.
fn next(record: &SendRecord) -> i32 {
    record.sequence.saturating_add(1)
}

async fn write<F: Feed>(feed: &mut F, step: Step) -> Result<(), String> {
    match feed.commit(step).await {
        Outcome::Committed => Ok(()),
        Outcome::RolledBack(error) | Outcome::Refused(error) => Err(format!("nothing was changed: {}", error.text)),
        Outcome::InDoubt(error) => {
            Err(format!("whether it was done is not known, look at the channel's status: {}", error.text))
        }
    }
}
