//! What listens on a port, by the first bytes it sent, where that is not what the address says.

/// The protocol that the address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// `amqp://`, `amqps://`
    Amqp,
    /// `tcp://`, `ssl://`
    OpenWire,
}

/// What speaks there instead, and the fix; none where the bytes tell nothing.
pub(super) fn what_speaks(first: &[u8], meant: Meant) -> Option<&'static str> {
    // Length, data type 1 (WireFormatInfo), magic (OpenWire reference, handshake).
    let openwire = first.get(4) == Some(&1) && first.get(5..).is_some_and(|rest| rest.starts_with(b"ActiveMQ"));
    match meant {
        Meant::Amqp if openwire => Some(
            "this is an OpenWire port: give that of the broker's AMQP connector, usually 5672 (amqp://) or 5671 (amqps://), or write tcp:// (ssl:// with TLS)",
        ),
        Meant::OpenWire if first.starts_with(b"AMQP") => Some(
            "this is an AMQP port: give that of the broker's OpenWire connector, usually 61616 (tcp://) or 61617 (ssl://), or write amqp:// (amqps:// with TLS)",
        ),
        // A TLS alert: the other side could not read what we began with.
        Meant::Amqp if first.starts_with(&[0x15, 0x03]) => Some("this port wants TLS: write amqps://"),
        Meant::OpenWire if first.starts_with(&[0x15, 0x03]) => Some("this port wants TLS: write ssl://"),
        Meant::Amqp if first.starts_with(b"HTTP/") => {
            Some("this is an HTTP port, perhaps the web console: use the port of the AMQP connector (5672 or 5671)")
        }
        Meant::OpenWire if first.starts_with(b"HTTP/") => Some(
            "this is an HTTP port, perhaps the web console: use the port of the OpenWire connector (61616 or 61617)",
        ),
        Meant::Amqp if first.starts_with(b"TSH") => {
            Some("this is an IBM MQ listener: use the broker's AMQP port (5672 or 5671)")
        }
        Meant::OpenWire if first.starts_with(b"TSH") => {
            Some("this is an IBM MQ listener: use the broker's OpenWire port (61616 or 61617)")
        }
        Meant::OpenWire if first.starts_with(b"ERROR") => {
            Some("this is a STOMP port: use the port of the OpenWire connector (61616 or 61617)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_called_what_it_is_and_its_own_is_let_pass() {
        let openwire = b"\x00\x00\x01\x06\x01ActiveMQ\x00\x00\x00\x0c";
        let says = |first: &[u8], meant| what_speaks(first, meant).unwrap_or_default();
        assert!(says(openwire, Meant::Amqp).contains("OpenWire port"));
        assert_eq!(what_speaks(openwire, Meant::OpenWire), None);
        assert!(says(b"AMQP\x03\x01\x00\x00", Meant::OpenWire).contains("AMQP port"));
        assert_eq!(what_speaks(b"AMQP\x03\x01\x00\x00", Meant::Amqp), None);
        for (meant, scheme) in [(Meant::Amqp, "amqps://"), (Meant::OpenWire, "ssl://")] {
            assert!(says(b"\x15\x03\x01\x00\x02", meant).contains(scheme));
            assert!(says(b"HTTP/1.1 400 Bad Request", meant).contains("HTTP"));
            assert!(says(b"TSH \x00\x00\x00\x24", meant).contains("IBM MQ"));
            assert_eq!(what_speaks(b"", meant), None);
        }
    }
}
