//! The life of a sender channel: connect, agree, settle what is in doubt, send batches, rest, end; and again.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::batch::Running;
use super::capture::Capture;
use super::conversation::Conversation;
use super::death::{Fate, Step};
use super::negotiate::negotiate;
use super::resync::{reset, resync};
use super::server::{accept, bind};
use super::speech::{Close, ConfirmRequest, LuwidStyle, Speech};
use super::xmitq::Xmitq;
use super::{Options, PartnerError, Report};
use crate::wire::{ByteOrder, ControlFlags1, Luwid, Ping, Segment, SegmentType, Status, StatusCode};

/// How often an idle sender looks into its queue.
const LOOK: Duration = Duration::from_millis(20);

/// Runs the channel until its queue is empty and DISCINT has passed. After a broken connection, or a refusal that may
/// pass, it connects again.
pub async fn run(options: &Options) -> Result<Report, PartnerError> {
    drive(options, Source::Call).await
}

/// Where connections come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// We call.
    Call,
    /// Requesters call here.
    Serve(&'a TcpListener),
}

pub(super) async fn drive(options: &Options, source: Source<'_>) -> Result<Report, PartnerError> {
    let mut report = Report::default();
    let mut fate = Fate::new(options.die_at);
    let mut xmitq = Xmitq::open(&options.folder, options.fsync)?;
    let mut luwids = Luwids { start: xmitq.sync().start, counter: 0, again: None };
    let mut wish = options.reset;
    let mut in_vain = 0;
    loop {
        let before = report.confirmed;
        xmitq.rewind();
        let connection = match source {
            Source::Call => options.connect().await,
            Source::Serve(listener) => accept(options, listener).await,
        };
        let end = match connection {
            Ok(mut conversation) => {
                let mut start =
                    Start { options, xmitq: &mut xmitq, report: &mut report, fate: &mut fate, luwids: &mut luwids };
                match start.channel(&mut conversation, source, &mut wish).await {
                    Ok(()) => conversation.close().await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        (report.sequence, report.luwid) = (xmitq.sync().sequence, xmitq.sync().luwid);
        xmitq.rewind();
        let left = xmitq.has_more()? || xmitq.sync().in_doubt.is_some();
        in_vain = if report.confirmed > before { 0 } else { in_vain + 1 };
        match end {
            Ok(()) if !left => return Ok(report),
            Ok(()) => {}
            // The messages are all there: how the partner took the goodbye does not matter.
            Err(error) if error.is_worth_a_retry() && !left && report.confirmed > before => return Ok(report),
            Err(error) if !error.is_worth_a_retry() || in_vain > options.retries => return Err(error),
            Err(_) => {}
        }
        if in_vain > options.retries {
            return Err(PartnerError::Closed("again and again at its own request"));
        }
        sleep(options.retry_delay).await;
    }
}

/// PING CHANNEL: agrees, sends this many bytes, and compares what comes back. No queue is touched.
pub async fn ping(options: &Options, length: usize) -> Result<(), PartnerError> {
    let speech = &options.speech;
    let mut conversation = options.connect().await?;
    negotiate(&mut conversation, &options.terms(), &mut 0).await?;
    let data: Bytes = (0..=255).cycle().take(length).collect();
    let body = Ping { data: data.clone() }.encode(speech.byte_order);
    let tsh = speech.tsh(SegmentType::PING_DATA).with_flags(speech.habit());
    conversation.send(&Segment::new(tsh, body)).await?;
    conversation.flush().await?;
    let during = "to a ping";
    let answer = conversation.expect(options.answer_timeout, during).await?;
    match answer.tsh.segment_type {
        SegmentType::PING_DATA if answer.ping()?.data == data => conversation.close().await,
        SegmentType::PING_DATA => Err(PartnerError::Protocol("a ping came back changed".to_owned())),
        SegmentType::STATUS_DATA => Err(PartnerError::Refused { status: answer.status()?, during }),
        other => Err(PartnerError::Protocol(format!("{other} came as answer {during}"))),
    }
}

/// Calls an address, within this time.
pub(super) async fn connect(
    address: &str,
    bound: Duration,
    capture: Option<&Path>,
) -> Result<Conversation<TcpStream>, PartnerError> {
    let what = || format!("connecting to {address}");
    let stream = match timeout(bound, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(PartnerError::Network { what: what(), source }),
        Err(_) => return Err(PartnerError::Network { what: what(), source: std::io::ErrorKind::TimedOut.into() }),
    };
    stream.set_nodelay(true).map_err(|source| PartnerError::Network { what: what(), source })?;
    Ok(Conversation::new(stream, Capture::open(capture)?))
}

impl Options {
    async fn connect(&self) -> Result<Conversation<TcpStream>, PartnerError> {
        connect(&self.address, self.answer_timeout, self.capture.as_deref()).await
    }
}

/// What a connection works with.
struct Start<'a> {
    options: &'a Options,
    xmitq: &'a mut Xmitq,
    report: &'a mut Report,
    fate: &'a mut Fate,
    luwids: &'a mut Luwids,
}

impl Start<'_> {
    /// From the handshake to the goodbye.
    async fn channel<S: AsyncRead + AsyncWrite>(
        &mut self,
        conversation: &mut Conversation<S>,
        source: Source<'_>,
        wish: &mut Option<i32>,
    ) -> Result<(), PartnerError> {
        let options = self.options;
        let agreed = match source {
            Source::Call => negotiate(conversation, &options.terms(), &mut self.report.counter_proposals).await?,
            Source::Serve(_) => bind(conversation, options, self.report).await?,
        };
        self.report.connections += 1;
        self.report.agreed = Some(agreed.clone());
        if self.fate.strikes(Step::AfterInitialData) {
            return Err(PartnerError::Died(Step::AfterInitialData));
        }
        if let Some(next) = *wish {
            reset(conversation, options, self.xmitq, next).await?;
            *wish = None;
        } else {
            let backed_out = resync(conversation, options, self.xmitq, self.report).await?;
            self.luwids.again = backed_out.filter(|_| options.speech.resend_under_old_luwid);
        }
        self.xmitq.rewind();
        let mut running =
            Running { conversation, options, agreed: &agreed, xmitq: self.xmitq, report: self.report, fate: self.fate };
        let mut endless = None;
        let mut most = options.first_batchsz.map_or(agreed.batchsz, |first| first.clamp(1, agreed.batchsz));
        loop {
            if !running.rest().await? {
                break;
            }
            let luwid = match options.speech.confirm {
                ConfirmRequest::Never => *endless.get_or_insert_with(|| self.luwids.next(&options.speech)),
                _ => self.luwids.next(&options.speech),
            };
            if running.batch(luwid, most).await? {
                running.report.close_requests += 1;
                break;
            }
            most = agreed.batchsz;
            if !options.pause_between_batches.is_zero() {
                sleep(options.pause_between_batches).await;
            }
        }
        running.goodbye().await
    }
}

impl<S: AsyncRead + AsyncWrite> Running<'_, S> {
    /// Waits for a message; false when the channel is to end instead.
    async fn rest(&mut self) -> Result<bool, PartnerError> {
        let during = "in a rest";
        let began = Instant::now();
        let interval = u64::try_from(self.agreed.heartbeat_interval).unwrap_or(0);
        let mut beat = Instant::now() + Duration::from_secs(interval);
        loop {
            if self.xmitq.has_more()? {
                return Ok(true);
            }
            if began.elapsed() >= self.options.discint {
                return Ok(false);
            }
            if interval > 0 && Instant::now() >= beat {
                if self.heartbeat(interval).await? {
                    self.report.close_requests += 1;
                    return Ok(false);
                }
                beat = Instant::now() + Duration::from_secs(interval);
            }
            let Ok(segment) = timeout(LOOK, self.conversation.receive()).await else { continue };
            let segment = segment?.ok_or(PartnerError::Closed(during))?;
            let flags = segment.tsh.flags1;
            match segment.tsh.segment_type {
                SegmentType::HEARTBEAT if flags.contains(ControlFlags1::CONFIRM_REQUEST) => {
                    self.answer_heartbeat().await?;
                }
                SegmentType::HEARTBEAT => {}
                SegmentType::STATUS_DATA => {
                    let status = segment.status()?;
                    if !status.is_ok() {
                        return Err(PartnerError::Refused { status, during });
                    }
                    self.report.close_requests += 1;
                    return Ok(false);
                }
                other => return Err(PartnerError::Protocol(format!("{other} came {during}"))),
            }
        }
    }

    /// Asks whether the partner is there; comes back with whether it wants the channel to end.
    async fn heartbeat(&mut self, interval: u64) -> Result<bool, PartnerError> {
        let speech = &self.options.speech;
        let flags = ControlFlags1::CONFIRM_REQUEST | speech.habit();
        let tsh = speech.tsh(SegmentType::HEARTBEAT).with_flags(flags);
        self.conversation.send(&Segment::new(tsh, Bytes::new())).await?;
        self.conversation.flush().await?;
        // Receive time-out of IBM MQ (wire reference, channel flow 6, D).
        let bound = Duration::from_secs(if interval < 60 { 2 * interval } else { interval + 60 });
        loop {
            let segment = self.conversation.expect(bound, "to a heartbeat").await?;
            let flags = segment.tsh.flags1;
            match segment.tsh.segment_type {
                SegmentType::HEARTBEAT if flags.contains(ControlFlags1::CONFIRM_REQUEST) => {
                    self.answer_heartbeat().await?;
                }
                SegmentType::HEARTBEAT => {
                    self.report.heartbeats += 1;
                    return Ok(flags.contains(ControlFlags1::REQUEST_CLOSE));
                }
                SegmentType::STATUS_DATA => {
                    return Err(PartnerError::Refused { status: segment.status()?, during: "to a heartbeat" });
                }
                other => return Err(PartnerError::Protocol(format!("{other} came as answer to a heartbeat"))),
            }
        }
    }

    /// Says that the channel ends, in the way of the speech.
    async fn goodbye(&mut self) -> Result<(), PartnerError> {
        let speech = &self.options.speech;
        let status = match speech.close {
            Close::Status => Status::OK,
            Close::StatusTimeout => Status::new(StatusCode::TIMEOUT_EXPIRED),
            Close::StatusUserClosed => Status::new(StatusCode::USER_CLOSED),
            Close::WithRequest | Close::Connection => return Ok(()),
        };
        let mut flags = ControlFlags1::CLOSE_CHANNEL | speech.habit();
        flags.set(ControlFlags1::CONFIRM_REQUEST, speech.close_asks);
        let tsh = speech.tsh(SegmentType::STATUS_DATA).with_flags(flags);
        self.conversation.send(&Segment::new(tsh, status.encode(speech.byte_order))).await?;
        if speech.close_asks {
            self.conversation.flush().await?;
            // The answer, or the end: either will do.
            let _ = timeout(self.options.answer_timeout, self.conversation.receive()).await;
        }
        Ok(())
    }
}

/// Where LUWIDs come from.
struct Luwids {
    start: u32,
    counter: u32,
    /// The LUWID of a batch that was backed out and goes again under it.
    again: Option<Luwid>,
}

impl Luwids {
    /// One that was never used before, or the one of the batch that goes again.
    fn next(&mut self, speech: &Speech) -> Luwid {
        if let Some(again) = self.again.take() {
            return again;
        }
        self.counter += 1;
        let (start, counter) = (self.start.cast_signed(), self.counter.cast_signed());
        let order = match speech.luwid {
            LuwidStyle::SecondsCounter => speech.byte_order,
            LuwidStyle::TimeOfDay => {
                // Units of 2^-12 microseconds since 1900, to which the counter adds.
                let seconds = u64::from(self.start) + 2_208_988_800;
                let units = (seconds * 1_000_000) << 12;
                return Luwid(units.wrapping_add(u64::from(self.counter)).to_be_bytes());
            }
        };
        let halves: [[u8; 4]; 2] = [start, counter].map(|half| ByteOrder::i32_bytes(order, half));
        let mut luwid = [0; 8];
        luwid.iter_mut().zip(halves.iter().flatten()).for_each(|(to, from)| *to = *from);
        Luwid(luwid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luwids_look_as_those_observed() {
        // 13 dc a3 3d 21 70 01 00: seconds 1034148883, counter 94241, little-endian (wire reference, segments 6, O).
        let mut luwids = Luwids { start: 1_034_148_883, counter: 94_240, again: None };
        assert_eq!(luwids.next(&Speech::default()).to_string(), "13DCA33D21700100");
        // 2013-08-19 18:23:24.73 UTC is CBD6151F0AE09834 on a System/390 clock (O).
        let speech = Speech { luwid: LuwidStyle::TimeOfDay, ..Speech::default() };
        let mut luwids = Luwids { start: 1_376_936_604, counter: 0, again: None };
        assert_eq!(luwids.next(&speech).to_string()[..7], *"CBD6151");
    }
}
