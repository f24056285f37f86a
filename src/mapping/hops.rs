//! The loop guard: gateways that a message went through, in the property `MQFERRY_HOPS` (golden rule 5).
//!
//! A message that crosses back by the gateway by which it came takes that gateway's name off again, so that what comes back
//! unchanged is unchanged; `Some` from [`without`] therefore says "it came by us".

/// The list with one more gateway.
pub fn with(list: &str, gateway: &str) -> String {
    if list.is_empty() { gateway.to_owned() } else { format!("{list} {gateway}") }
}

/// The list without its last gateway, if that is this one.
pub fn without(list: &str, gateway: &str) -> Option<String> {
    let rest = list.strip_suffix(gateway).filter(|_| !gateway.is_empty())?;
    match rest.strip_suffix(' ') {
        Some(rest) => Some(rest.to_owned()),
        None => rest.is_empty().then(String::new),
    }
}

/// The list that a message has after this gateway carried it.
pub fn crossed(list: &str, gateway: &str) -> String {
    without(list, gateway).unwrap_or_else(|| with(list, gateway))
}

/// Whether the gateway has carried the message and another one since: it goes round.
pub fn is_loop(list: &str, gateway: &str) -> bool {
    let mut names = list.rsplit(' ').skip(1);
    !gateway.is_empty() && names.any(|name| name == gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossing_back_takes_the_name_off() {
        for (list, gateway, expected) in
            [("", "A", "A"), ("A", "A", ""), ("B", "A", "B A"), ("B A", "A", "B"), ("AA", "A", "AA A"), ("B", "", "B ")]
        {
            assert_eq!(crossed(list, gateway), expected);
        }
        assert!(is_loop("A B", "A") && is_loop("A B C", "B"));
        assert!(!is_loop("A", "A") && !is_loop("B A", "A") && !is_loop("", "") && !is_loop("", "A"));
    }
}
