//! A message of the broker on its way to MQ, and what takes its place where it cannot go.

use bytes::Bytes;

use super::Sending;
use crate::channel::sender::{Input, Outgoing, Token};
use crate::mapping::{self, Publication, reason, to_mq};
use crate::message::Coding;
use crate::mover::link::Stream;
use crate::target::Source;
use crate::wire::StatusCode;

impl<T: Source, S: Stream> Sending<'_, T, S> {
    /// Maps a message and gives it to the machine; one that cannot go to MQ is set aside.
    pub(super) fn offer(&mut self, token: Token) {
        self.wants = false;
        if self.instead.contains_key(&token) {
            return self.handle(Input::SetAside(token));
        }
        let Some(taken) = self.taken.get(&token) else {
            let why = "internal fault: a message that was never taken".to_owned();
            return self.handle(Input::RolledBack(StatusCode::BATCH_FAILURE, why));
        };
        let publication = match &taken.publication {
            Ok(publication) => publication,
            Err(unreadable) => {
                let why = format!("it cannot be read: {unreadable}");
                self.bury(token, reason::XMIT_Q_MSG_ERROR, &why);
                return self.handle(Input::SetAside(token));
            }
        };
        match self.mapped(publication) {
            Ok(parts) => {
                let persistent = publication.persistent;
                self.handle(Input::Message(Outgoing { token, parts, persistent }));
            }
            Err((reason::EXPIRATION, _)) => {
                self.instead.insert(token, Vec::new());
                self.handle(Input::SetAside(token));
            }
            Err((code, why)) => {
                self.bury(token, code, &why);
                self.handle(Input::SetAside(token));
            }
        }
    }

    fn mapped(&self, publication: &Publication) -> Result<Vec<Bytes>, (i32, String)> {
        let (byte_order, alphabet, ccsid) = self.mca.writing();
        let settings = &self.gateway.settings;
        let rqmname = settings.outlets.get(&self.channel).and_then(|outlets| outlets.rqmname.as_deref());
        let sending = mapping::Sending {
            policy: &settings.policy,
            partner: rqmname.unwrap_or(&self.partner),
            coding: Coding::new(byte_order, alphabet, i32::from(ccsid)),
            reply_alias: None,
            mcauser: "",
        };
        let message = to_mq(publication, &sending, crate::clock::wall_ms())
            .map_err(|unmappable| (unmappable.reason, unmappable.to_string()))?;
        if message.returns {
            let why = "it came from MQ through this gateway, and would go round for ever".to_owned();
            return Err((reason::LOOPING, why));
        }
        if !message.notes.is_empty() {
            tracing::debug!(channel = self.channel, notes = ?message.notes, "approximated");
        }
        Ok(message.parts())
    }

    /// The dead-letter queue gets the message in its place, as it is, with the reason.
    pub(super) fn bury(&mut self, token: Token, reason: i32, why: &str) {
        let settings = &self.gateway.settings;
        let publication = match self.taken.get(&token).map(|taken| &taken.publication) {
            Some(Ok(publication)) => publication,
            Some(Err(unreadable)) => &unreadable.kept,
            None => return,
        };
        let dead = mapping::undeliverable(publication, reason, why, &settings.deadq);
        let from = &publication.destination;
        let line = format!("channel {}: a message of {from} goes to {}: {why}", self.channel, settings.deadq);
        if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(reason, "{line}");
        }
        self.tell(|status| status.buried());
        self.instead.insert(token, vec![dead]);
    }
}
