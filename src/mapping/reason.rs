//! Names of reason and feedback codes, as an MQ administrator looks them up (wire reference, headers and status codes, D).

/// MQRC: not authorised.
pub const NOT_AUTHORIZED: i32 = 2035;
/// MQRC: report options that must be understood, and are not.
pub const REPORT_OPTIONS_ERROR: i32 = 2061;
/// MQRC: queue manager that we do not stand in for.
pub const UNKNOWN_REMOTE_Q_MGR: i32 = 2087;
/// MQRC: text could not be converted.
pub const NOT_CONVERTED: i32 = 2119;
/// MQRC: a name with characters that names cannot have.
pub const OBJECT_NAME_ERROR: i32 = 2152;
/// MQRC: a correlation id that is none.
pub const CORREL_ID_ERROR: i32 = 2207;
/// MQRC: a message goes round (IBM says it of publications).
pub const LOOPING: i32 = 2541;
/// MQFB: the message expired.
pub const EXPIRATION: i32 = 258;
/// MQFB: the message arrived.
pub const COA: i32 = 259;
/// MQFB: the message was delivered.
pub const COD: i32 = 260;
/// MQFB: the message has no usable transmission header.
pub const XMIT_Q_MSG_ERROR: i32 = 271;

/// Whether time alone can mend what this reason says: a queue that is full or inhibited for now, a store without room.
/// Rights, names and sizes stay wrong until a person acts.
pub fn may_pass(reason: i32) -> bool {
    // PUT_INHIBITED, Q_FULL, Q_SPACE_NOT_AVAILABLE, STORAGE_NOT_AVAILABLE, RESOURCE_PROBLEM, STORAGE_MEDIUM_FULL
    matches!(reason, 2051 | 2053 | 2056 | 2071 | 2102 | 2192)
}

/// IBM's name of a reason code (MQRC, 2000 and up) or a feedback code (MQFB, below 2000); codes that are not in the
/// table are named by their range.
pub fn name(code: i32) -> &'static str {
    match NAMES.binary_search_by_key(&code, |(code, _)| *code) {
        Ok(at) => NAMES.get(at).map_or("", |(_, name)| name),
        Err(_) if code >= 65_536 => "an application's own feedback",
        Err(_) if code >= 2000 => "a reason code without a name here",
        Err(_) => "a feedback code without a name here",
    }
}

/// Sorted by code.
const NAMES: &[(i32, &str)] = &[
    (0, "MQFB_NONE"),
    (256, "MQFB_QUIT"),
    (258, "MQFB_EXPIRATION"),
    (259, "MQFB_COA"),
    (260, "MQFB_COD"),
    (262, "MQFB_CHANNEL_COMPLETED"),
    (263, "MQFB_CHANNEL_FAIL_RETRY"),
    (264, "MQFB_CHANNEL_FAIL"),
    (265, "MQFB_APPL_CANNOT_BE_STARTED"),
    (266, "MQFB_TM_ERROR"),
    (267, "MQFB_APPL_TYPE_ERROR"),
    (268, "MQFB_STOPPED_BY_MSG_EXIT"),
    (269, "MQFB_ACTIVITY"),
    (271, "MQFB_XMIT_Q_MSG_ERROR"),
    (275, "MQFB_PAN"),
    (276, "MQFB_NAN"),
    (277, "MQFB_STOPPED_BY_CHAD_EXIT"),
    (279, "MQFB_STOPPED_BY_PUBSUB_EXIT"),
    (280, "MQFB_NOT_A_REPOSITORY_MSG"),
    (281, "MQFB_BIND_OPEN_CLUSRCVR_DEL"),
    (282, "MQFB_MAX_ACTIVITIES"),
    (283, "MQFB_NOT_FORWARDED"),
    (284, "MQFB_NOT_DELIVERED"),
    (285, "MQFB_UNSUPPORTED_FORWARDING"),
    (286, "MQFB_UNSUPPORTED_DELIVERY"),
    (2001, "MQRC_ALIAS_BASE_Q_TYPE_ERROR"),
    (2004, "MQRC_BUFFER_ERROR"),
    (2005, "MQRC_BUFFER_LENGTH_ERROR"),
    (2009, "MQRC_CONNECTION_BROKEN"),
    (2010, "MQRC_DATA_LENGTH_ERROR"),
    (2013, "MQRC_EXPIRY_ERROR"),
    (2014, "MQRC_FEEDBACK_ERROR"),
    (2016, "MQRC_GET_INHIBITED"),
    (2024, "MQRC_SYNCPOINT_LIMIT_REACHED"),
    (2026, "MQRC_MD_ERROR"),
    (2027, "MQRC_MISSING_REPLY_TO_Q"),
    (2029, "MQRC_MSG_TYPE_ERROR"),
    (2030, "MQRC_MSG_TOO_BIG_FOR_Q"),
    (2031, "MQRC_MSG_TOO_BIG_FOR_Q_MGR"),
    (2035, "MQRC_NOT_AUTHORIZED"),
    (2043, "MQRC_OBJECT_TYPE_ERROR"),
    (2044, "MQRC_OD_ERROR"),
    (2046, "MQRC_OPTIONS_ERROR"),
    (2047, "MQRC_PERSISTENCE_ERROR"),
    (2048, "MQRC_PERSISTENT_NOT_ALLOWED"),
    (2049, "MQRC_PRIORITY_EXCEEDS_MAXIMUM"),
    (2050, "MQRC_PRIORITY_ERROR"),
    (2051, "MQRC_PUT_INHIBITED"),
    (2052, "MQRC_Q_DELETED"),
    (2053, "MQRC_Q_FULL"),
    (2055, "MQRC_Q_NOT_EMPTY"),
    (2056, "MQRC_Q_SPACE_NOT_AVAILABLE"),
    (2057, "MQRC_Q_TYPE_ERROR"),
    (2058, "MQRC_Q_MGR_NAME_ERROR"),
    (2059, "MQRC_Q_MGR_NOT_AVAILABLE"),
    (2061, "MQRC_REPORT_OPTIONS_ERROR"),
    (2063, "MQRC_SECURITY_ERROR"),
    (2071, "MQRC_STORAGE_NOT_AVAILABLE"),
    (2079, "MQRC_TRUNCATED_MSG_ACCEPTED"),
    (2080, "MQRC_TRUNCATED_MSG_FAILED"),
    (2082, "MQRC_UNKNOWN_ALIAS_BASE_Q"),
    (2085, "MQRC_UNKNOWN_OBJECT_NAME"),
    (2086, "MQRC_UNKNOWN_OBJECT_Q_MGR"),
    (2087, "MQRC_UNKNOWN_REMOTE_Q_MGR"),
    (2090, "MQRC_WAIT_INTERVAL_ERROR"),
    (2091, "MQRC_XMIT_Q_TYPE_ERROR"),
    (2092, "MQRC_XMIT_Q_USAGE_ERROR"),
    (2101, "MQRC_OBJECT_DAMAGED"),
    (2102, "MQRC_RESOURCE_PROBLEM"),
    (2109, "MQRC_SUPPRESSED_BY_EXIT"),
    (2110, "MQRC_FORMAT_ERROR"),
    (2111, "MQRC_SOURCE_CCSID_ERROR"),
    (2112, "MQRC_SOURCE_INTEGER_ENC_ERROR"),
    (2115, "MQRC_TARGET_CCSID_ERROR"),
    (2119, "MQRC_NOT_CONVERTED"),
    (2120, "MQRC_CONVERTED_MSG_TOO_BIG"),
    (2135, "MQRC_DH_ERROR"),
    (2141, "MQRC_DLH_ERROR"),
    (2142, "MQRC_HEADER_ERROR"),
    (2148, "MQRC_IIH_ERROR"),
    (2150, "MQRC_DBCS_ERROR"),
    (2152, "MQRC_OBJECT_NAME_ERROR"),
    (2153, "MQRC_OBJECT_Q_MGR_NAME_ERROR"),
    (2161, "MQRC_Q_MGR_QUIESCING"),
    (2162, "MQRC_Q_MGR_STOPPING"),
    (2184, "MQRC_REMOTE_Q_NAME_ERROR"),
    (2190, "MQRC_CONVERTED_STRING_TOO_BIG"),
    (2192, "MQRC_STORAGE_MEDIUM_FULL"),
    (2195, "MQRC_UNEXPECTED_ERROR"),
    (2196, "MQRC_UNKNOWN_XMIT_Q"),
    (2197, "MQRC_UNKNOWN_DEF_XMIT_Q"),
    (2198, "MQRC_DEF_XMIT_Q_TYPE_ERROR"),
    (2199, "MQRC_DEF_XMIT_Q_USAGE_ERROR"),
    (2207, "MQRC_CORREL_ID_ERROR"),
    (2218, "MQRC_MSG_TOO_BIG_FOR_CHANNEL"),
    (2241, "MQRC_INCOMPLETE_GROUP"),
    (2242, "MQRC_INCOMPLETE_MSG"),
    (2243, "MQRC_INCONSISTENT_CCSIDS"),
    (2244, "MQRC_INCONSISTENT_ENCODINGS"),
    (2248, "MQRC_MDE_ERROR"),
    (2249, "MQRC_MSG_FLAGS_ERROR"),
    (2250, "MQRC_MSG_SEQ_NUMBER_ERROR"),
    (2251, "MQRC_OFFSET_ERROR"),
    (2252, "MQRC_ORIGINAL_LENGTH_ERROR"),
    (2253, "MQRC_SEGMENT_LENGTH_ZERO"),
    (2257, "MQRC_WRONG_MD_VERSION"),
    (2258, "MQRC_GROUP_ID_ERROR"),
    (2260, "MQRC_XQH_ERROR"),
    (2282, "MQRC_CHANNEL_STARTED"),
    (2283, "MQRC_CHANNEL_STOPPED"),
    (2284, "MQRC_CHANNEL_CONV_ERROR"),
    (2334, "MQRC_RFH_ERROR"),
    (2335, "MQRC_RFH_STRING_ERROR"),
    (2336, "MQRC_RFH_COMMAND_ERROR"),
    (2371, "MQRC_CHANNEL_SSL_ERROR"),
    (2420, "MQRC_EPH_ERROR"),
    (2421, "MQRC_RFH_FORMAT_ERROR"),
    (2537, "MQRC_CHANNEL_NOT_AVAILABLE"),
    (2538, "MQRC_HOST_NOT_AVAILABLE"),
    (2539, "MQRC_CHANNEL_CONFIG_ERROR"),
    (2540, "MQRC_UNKNOWN_CHANNEL_NAME"),
    (2541, "MQRC_LOOPING_PUBLICATION"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_so_that_the_search_holds() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(name(2087), "MQRC_UNKNOWN_REMOTE_Q_MGR");
        assert_eq!(name(271), "MQFB_XMIT_Q_MSG_ERROR");
        assert_eq!(name(70_000), "an application's own feedback");
        assert_eq!(name(-1), "a feedback code without a name here");
    }
}
