//! A channel's status as others see it: the keys of `DISPLAY CHSTATUS`, and below them our own in lower case.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::status::ChannelStatus;

/// What `GET /channels` and `mqferry channel status --json` show. Dates and times are UTC; LUWIDs 16 hex digits; absent is null.
#[allow(missing_docs, reason = "the keys are those of DISPLAY CHSTATUS, explained at ChannelStatus")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct ChannelView {
    pub channel: String,
    pub chltype: String,
    pub status: String,
    pub substate: String,
    pub stopreq: String,
    pub rqmname: String,
    pub conname: String,
    pub curseqno: i32,
    pub curluwid: String,
    pub curmsgs: u32,
    pub lstseqno: i32,
    pub lstluwid: String,
    pub indoubt: String,
    pub msgs: u64,
    pub batches: u64,
    pub bytsrcvd: u64,
    pub bytssent: u64,
    /// `2026-11-23`
    pub chstada: Option<String>,
    /// `16.03.36`
    pub chstati: Option<String>,
    /// `2026-11-23`
    pub lstmsgda: Option<String>,
    /// `16.03.36`
    pub lstmsgti: Option<String>,
    pub batchsz: u16,
    pub hbint: i32,
    /// MAXMSGL, which DISPLAY CHSTATUS does not have; as agreed.
    pub maxmsgl: i32,
    /// FAP level spoken; 0 before the first agreement.
    #[serde(rename = "fap_level")]
    pub fap_level: u8,
    /// Messages to the dead-letter queue since the gateway started.
    #[serde(rename = "dead_lettered")]
    pub dead_lettered: u64,
    /// Messages recognised as already committed since the gateway started.
    #[serde(rename = "repeated")]
    pub repeated: u64,
    /// Callers refused since the gateway started.
    #[serde(rename = "refused")]
    pub refused: u64,
    /// The last thing that went wrong, one line.
    #[serde(rename = "last_error")]
    pub last_error: Option<String>,
}

impl From<&ChannelStatus> for ChannelView {
    fn from(status: &ChannelStatus) -> Self {
        let yes_no = |yes| if yes { "YES" } else { "NO" }.to_owned();
        let (chstada, chstati) = status.started.map(date_and_time).unzip();
        let (lstmsgda, lstmsgti) = status.last_message.map(date_and_time).unzip();
        let totals = status.totals();
        Self {
            channel: status.channel.clone(),
            chltype: format!("{:?}", status.chltype).to_ascii_uppercase(),
            status: status.state.word().to_owned(),
            substate: status.substate.word().to_owned(),
            stopreq: yes_no(status.stopreq),
            rqmname: status.rqmname.clone(),
            conname: status.conname.clone(),
            curseqno: status.curseqno,
            curluwid: status.curluwid.to_string(),
            curmsgs: status.curmsgs,
            lstseqno: status.lstseqno,
            lstluwid: status.lstluwid.to_string(),
            indoubt: yes_no(status.indoubt),
            msgs: status.msgs,
            batches: status.batches,
            bytsrcvd: status.bytsrcvd,
            bytssent: status.bytssent,
            chstada,
            chstati,
            lstmsgda,
            lstmsgti,
            batchsz: status.agreed.batchsz,
            hbint: status.agreed.hbint,
            maxmsgl: status.agreed.maxmsgl,
            fap_level: status.agreed.fap_level,
            dead_lettered: totals.dead_lettered,
            repeated: totals.repeated,
            refused: totals.refused,
            last_error: status.last_error.clone(),
        }
    }
}

/// `2026-11-23` and `16.03.36`, as DISPLAY CHSTATUS writes dates and times; UTC.
fn date_and_time(at: SystemTime) -> (String, String) {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the leap day is the last one, in cycles of 400 years of 146,097 days.
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = 400 * cycle + year + carry;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    (format!("{year:04}-{month:02}-{day_of_month:02}"), format!("{hour:02}.{minute:02}.{second:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates() {
        // Expected values from GNU date.
        for (seconds, date, time) in [
            (0, "1970-01-01", "00.00.00"),
            (951_782_399, "2000-02-28", "23.59.59"),
            (951_782_400, "2000-02-29", "00.00.00"),
            (1_709_210_096, "2024-02-29", "12.34.56"),
            (1_795_449_816, "2026-11-23", "16.03.36"),
            (4_107_542_400, "2100-03-01", "00.00.00"),
        ] {
            let said = date_and_time(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(said, (date.to_owned(), time.to_owned()), "{seconds}");
        }
    }
}
