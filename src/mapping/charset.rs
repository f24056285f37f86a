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

/// The CCSID that an application means by a charset's name, in whatever letters: Java's own, `Cp1047`, `IBM1047`, `ibm-1047`,
/// or the number itself.
pub fn ccsid(name: &str) -> Option<i32> {
    let name = name.trim();
    let lower = name.to_ascii_lowercase();
    let named = NAMED.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(ccsid, _)| *ccsid);
    named.or_else(|| {
        let digits = ["cp", "ibm-", "ibm", "x-ibm", "windows-"].iter().find_map(|prefix| lower.strip_prefix(prefix));
        let digits = digits.unwrap_or(&lower);
        let is_number = !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number > 0)
    })
}

/// Names that do not hold their number; of several CCSIDs of one name the usual.
const NAMED: [(i32, &str); 27] = [
    (367, "US-ASCII"),
    (813, "ISO-8859-7"),
    (819, "ISO-8859-1"),
    (819, "ISO8859_1"),
    (878, "KOI8-R"),
    (912, "ISO-8859-2"),
    (915, "ISO-8859-5"),
    (916, "ISO-8859-8"),
    (920, "ISO-8859-9"),
    (923, "ISO-8859-15"),
    (943, "Shift_JIS"),
    (954, "EUC-JP"),
    (970, "EUC-KR"),
    (1089, "ISO-8859-6"),
    (1200, "UTF-16"),
    (1200, "UTF-16BE"),
    (1202, "UTF-16LE"),
    (1208, "UTF-8"),
    (1208, "UTF8"),
    (1386, "GBK"),
    (5488, "GB18030"),
    (943, "windows-31j"),
    (950, "Big5"),
    (950, "x-IBM950"),
    (1386, "x-mswin-936"),
    (1392, "x-IBM1392"),
    (367, "ASCII"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (name, expected) in [
            ("UTF-8", Some(1208)),
            ("utf-8", Some(1208)),
            ("IBM037", Some(37)),
            ("IBM01140", Some(1140)),
            ("Cp939", Some(939)),
            ("x-IBM939", Some(939)),
            ("windows-1252", Some(1252)),
            ("1208", Some(1208)),
            ("", None),
            ("klingon", None),
            ("IBM", None),
        ] {
            assert_eq!(ccsid(name), expected, "{name}");
        }
        for number in [37, 273, 367, 437, 500, 813, 819, 850, 858, 912, 923, 939, 1047, 1140, 1208, 1252, 1386] {
            assert_eq!(ccsid(&java_name(number)), Some(number));
        }
    }

    #[test]
    fn names() {
        for (ccsid, expected) in
            [(1208, "UTF-8"), (37, "IBM037"), (500, "IBM500"), (819, "ISO-8859-1"), (1140, "IBM01140"), (939, "Cp939")]
        {
            assert_eq!(java_name(ccsid), expected);
        }
    }
}
