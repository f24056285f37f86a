//! Java names of CCSIDs, for the property `JMS_IBM_Character_Set`.
//!
//! Several CCSIDs share a name, so the number always travels too (`JMS_IBM_MQMD_CodedCharSetId`, `MQFERRY_CCSID`).

/// The name of a CCSID by which Java knows it: the charset's canonical name where Java has one of its own,
/// else `Cp` and the number.
pub fn java_name(ccsid: i32) -> String {
    let name = match ccsid {
        367 => "US-ASCII",
        813 => "ISO-8859-7",
        819 => "ISO-8859-1",
        878 => "KOI8-R",
        912 => "ISO-8859-2",
        915 => "ISO-8859-5",
        916 => "ISO-8859-8",
        920 => "ISO-8859-9",
        923 => "ISO-8859-15",
        932 | 943 => "Shift_JIS",
        954 => "EUC-JP",
        970 => "EUC-KR",
        1089 => "ISO-8859-6",
        1200 | 13488 | 17584 => "UTF-16BE",
        1202 => "UTF-16LE",
        1208 => "UTF-8",
        1386 => "GBK",
        5488 | 1392 => "GB18030",
        1250..=1258 => return format!("windows-{ccsid}"),
        1140..=1149 => return format!("IBM{ccsid:05}"),
        37
        | 273
        | 277
        | 278
        | 280
        | 284
        | 285
        | 290
        | 297
        | 420
        | 424
        | 437
        | 500
        | 850
        | 852
        | 855
        | 857
        | 860..=866
        | 868..=871
        | 918
        | 1047 => return format!("IBM{ccsid:03}"),
        858 => "IBM00858",
        _ => return format!("Cp{ccsid:03}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (ccsid, expected) in
            [(1208, "UTF-8"), (37, "IBM037"), (500, "IBM500"), (819, "ISO-8859-1"), (1140, "IBM01140"), (939, "Cp939")]
        {
            assert_eq!(java_name(ccsid), expected);
        }
    }
}
