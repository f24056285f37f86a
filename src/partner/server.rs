//! The ends that wait for a requester: a server that sends on the requester's connection, and a sender that calls it back.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::capture::Capture;
use super::conversation::Conversation;
use super::negotiate::answer_offers;
use super::sender::{Source, drive};
use super::{Options, PartnerError, Report};
use crate::wire::{ControlFlags1, Segment, SegmentType, Status, StatusCode};

/// SVR: waits for a requester on this listener, sends on its connection until the queue is empty and DISCINT has passed.
/// After a broken connection it waits for the next.
pub async fn serve(options: &Options, listener: &TcpListener) -> Result<Report, PartnerError> {
    drive(options, Source::Serve(listener)).await
}

/// SDR that a requester calls: ends that call, without a word or with this status, and calls back (wire reference, channel
/// flow 8, D).
pub async fn call_back(
    options: &Options,
    listener: &TcpListener,
    status: Option<StatusCode>,
) -> Result<Report, PartnerError> {
    let mut conversation = accept(options, listener).await?;
    let during = "while a requester called";
    let offer = conversation.expect(options.answer_timeout, during).await?;
    if offer.tsh.segment_type != SegmentType::INITIAL_DATA {
        return Err(PartnerError::Protocol(format!("{} came {during}", offer.tsh.segment_type)));
    }
    if let Some(code) = status {
        refuse(&mut conversation, options, code).await?;
    }
    conversation.close().await?;
    drive(options, Source::Call).await
}

/// Accepts one connection.
pub(super) async fn accept(options: &Options, listener: &TcpListener) -> Result<Conversation<TcpStream>, PartnerError> {
    let what = || "waiting for a requester".to_owned();
    let network = |source| PartnerError::Network { what: what(), source };
    let (stream, _) = match timeout(options.answer_timeout.max(Duration::from_secs(1)), listener.accept()).await {
        Ok(accepted) => accepted.map_err(network)?,
        Err(_) => return Err(network(std::io::ErrorKind::TimedOut.into())),
    };
    stream.set_nodelay(true).map_err(network)?;
    Ok(Conversation::new(stream, Capture::open(options.capture.as_deref())?))
}

/// Agrees with a requester, or refuses another caller.
pub(super) async fn bind<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Options,
    report: &mut Report,
) -> Result<super::Agreed, PartnerError> {
    match answer_offers(conversation, &options.terms(), &mut report.counter_proposals).await {
        Err(PartnerError::Negotiation(why)) => {
            refuse(conversation, options, StatusCode::NEGOTIATION_FAILED).await?;
            Err(PartnerError::Negotiation(why))
        }
        Ok(agreed) if options.speech.waits_for_requester => {
            let during = "while the requester was to speak first";
            let word = conversation.expect(options.answer_timeout, during).await?;
            if word.tsh.segment_type != SegmentType::STATUS_DATA || !word.status()?.is_ok() {
                return Err(PartnerError::Protocol(format!("{} came {during}", word.tsh.segment_type)));
            }
            Ok(agreed)
        }
        agreed => agreed,
    }
}

async fn refuse<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Options,
    code: StatusCode,
) -> Result<(), PartnerError> {
    let speech = &options.speech;
    let flags = ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL | speech.habit();
    let tsh = speech.tsh(SegmentType::STATUS_DATA).with_flags(flags);
    conversation.send(&Segment::new(tsh, Status::new(code).encode(speech.byte_order))).await?;
    conversation.flush().await
}
