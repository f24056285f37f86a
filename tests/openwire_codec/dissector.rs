//! tshark's OpenWire dissector, which knows versions up to 9, on a conversation that we write.

use std::time::Duration;

use bytes::Bytes;
use mqferry::mapping::Destination;
use mqferry::target::openwire::codec::{
    Command, ConnectionId, ConnectionInfo, ConsumerInfo, Content, Frame, KeepAliveInfo, Message, MessageAck,
    MessageDispatch, ProducerInfo, RemoveInfo, Response, SessionInfo, ShutdownInfo, Structure, TransactionInfo,
    TransactionType, Version, WireFormatInfo,
};

use crate::java::encoded;
use crate::support::pcap::{self, Chunk, Conversation};
use crate::support::tshark::{self, Seen};

const QUEUE: &str = "ORDERS";

fn message(content: &Content) -> Message {
    let producer = ConnectionId::new("ID:gw").session(1).producer(1);
    let mut message = Message::with_content(content).unwrap();
    message.producer_id = Some(producer.clone());
    message.message_id = Some(producer.message(77));
    message.destination = Some(Destination::Queue(QUEUE.to_owned()));
    message.transaction_id = Some(ConnectionId::new("ID:gw").transaction(5));
    message.correlation_id = Some("correlated".to_owned());
    message.message_type = Some("kind".to_owned());
    message.user_id = Some("fred".to_owned());
    message.group_id = Some("group".to_owned());
    message.group_sequence = 3;
    message.priority = 7;
    message.persistent = true;
    message.timestamp = 1_034_148_883_000;
    message.expiration = 4_102_444_800_000;
    message
}

/// Who sends it, what it is, and what tshark must see in it.
type Said = (bool, Command, &'static [(&'static str, &'static str)]);

fn conversation() -> Vec<Said> {
    const OURS: bool = true;
    const THEIRS: bool = false;
    let connection = ConnectionId::new("ID:gw");
    let session = connection.session(1);
    let consumer = session.consumer(1);
    let queue = Destination::Queue(QUEUE.to_owned());
    let step = |step| {
        let (connection_id, transaction_id) = (Some(connection.clone()), Some(connection.transaction(5)));
        Command::from(TransactionInfo { connection_id, transaction_id, step })
    };
    let contents = [
        Content::Empty,
        Content::Bytes(Bytes::from_static(b"bytes")),
        Content::Text(Some("text".to_owned())),
        Content::Object(Some(Bytes::from_static(&[0xAC, 0xED, 0, 5]))),
    ];
    let login = ConnectionInfo {
        client_id: Some("mqferry/GW/TO.BROKER/QM1".to_owned()),
        user_name: Some("user".to_owned()),
        password: Some("secret".to_owned()),
        ..ConnectionInfo::new(connection.clone())
    };
    let exclusive = ConsumerInfo { exclusive: true, ..ConsumerInfo::new(consumer.clone(), queue.clone(), 10) };
    let mut said: Vec<Said> = vec![
        (OURS, WireFormatInfo::ours(Version::OLDEST, 5000, 1 << 20, "h").into(), &[("wireformatinfo.version", "9")]),
        (
            OURS,
            login.into(),
            &[
                ("connectionid.value", "ID:gw"),
                ("connectioninfo.clientid", "mqferry/GW/TO.BROKER/QM1"),
                ("connectioninfo.username", "user"),
                ("connectioninfo.password", "secret"),
                ("connectioninfo.clientmaster", "1"),
                ("connectioninfo.failoverreconnect", "0"),
            ],
        ),
        (THEIRS, Response { correlation_id: 3 }.into(), &[("response.correlationid", "3")]),
        (OURS, SessionInfo { session_id: session.clone() }.into(), &[("sessionid.value", "1")]),
        (OURS, ProducerInfo::new(session.producer(1)).into(), &[("producerid.value", "1")]),
        (
            OURS,
            exclusive.into(),
            &[
                ("consumerinfo.prefetchsize", "10"),
                ("consumerinfo.exclusive", "1"),
                ("consumerinfo.nolocal", "0"),
                ("destination.name", QUEUE),
            ],
        ),
        (OURS, step(TransactionType::Begin), &[("transactioninfo.type", "0"), ("localtransactionid.value", "5")]),
    ];
    for content in &contents {
        let seen = &[
            ("producerid.connectionid", "ID:gw"),
            ("destination.name", QUEUE),
            ("messageid.producersequenceid", "77"),
            ("localtransactionid.value", "5"),
            ("message.correlationid", "correlated"),
            ("message.groupid", "group"),
            ("message.groupsequence", "3"),
            ("message.persistent", "1"),
            ("message.priority", "7"),
            ("message.timestamp", "1034148883000"),
            ("message.expiration", "4102444800000"),
            ("message.type", "kind"),
            ("message.userid", "fred"),
            ("message.compressed", "0"),
            ("message.brokerouttime", "0"),
        ];
        said.push((OURS, message(content).into(), seen));
    }
    let dispatch = MessageDispatch {
        consumer_id: consumer.clone(),
        destination: Some(queue.clone()),
        message: Some(Box::new(message(&contents[2]))),
        redelivery_counter: 2,
    };
    let id = session.producer(1).message(77);
    let ack = MessageAck::individual(queue, consumer.clone(), id, Some(connection.transaction(5)));
    let rest: [Said; 7] = [
        (THEIRS, dispatch.into(), &[("messagedispatch.redeliverycounter", "2"), ("message.priority", "7")]),
        (
            OURS,
            ack.into(),
            &[
                ("messageack.acktype", "4"),
                ("messageack.messagecount", "1"),
                ("consumerid.value", "1"),
                ("messageid.producersequenceid", "77"),
            ],
        ),
        (OURS, step(TransactionType::CommitOnePhase), &[("transactioninfo.type", "2")]),
        (OURS, KeepAliveInfo {}.into(), &[]),
        (THEIRS, KeepAliveInfo {}.into(), &[]),
        (
            OURS,
            RemoveInfo::new(Structure::ConsumerId(consumer)).into(),
            &[("consumerid.connectionid", "ID:gw"), ("removeinfo.lastdeliveredsequenceid", "-1")],
        ),
        (OURS, ShutdownInfo {}.into(), &[]),
    ];
    said.extend(rest);
    said
}

#[test]
fn a_dissector_that_knows_nothing_of_us_reads_version_9() {
    let said = conversation();
    let mut recorded = Conversation::number(0);
    for (place, (ours, command, _)) in (1..).zip(&said) {
        let frame = Frame { command_id: place, response_required: false, command: command.clone() };
        let bytes = encoded(&frame, Version::OLDEST).to_vec();
        let at = Duration::from_secs(1_800_000_000 + u64::try_from(place).unwrap());
        recorded.chunks.push(Chunk { at, from_client: *ours, bytes });
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("conversation.pcap");
    std::fs::write(&file, pcap::write(&[recorded])).unwrap();
    let seen: Vec<Seen> = tshark::read_openwire(&file);
    assert_eq!(seen.len(), said.len());
    for (place, (seen, (ours, command, fields))) in (1_u32..).zip(seen.iter().zip(&said)) {
        let about = format!("{} in place {place}: {:?}", command.name(), seen.fields);
        // it does not know the last fields of two, clientIp and poisonCause, and looks into texts alone
        let unknown = match command {
            Command::ConnectionInfo(_) => "OpenWire command fields unknown to Wireshark: 3",
            Command::MessageAck(_) => "OpenWire command fields unknown to Wireshark: 22",
            Command::Message(_) => "OpenWire body type not supported by Wireshark",
            _ => "nothing",
        };
        let is_note = |mark: &String| mark.ends_with(unknown) || mark.ends_with("Note") || mark.ends_with("Undecoded");
        assert!(seen.marks.iter().all(is_note), "{about}: tshark says {:?}", seen.marks);
        assert!(seen.marks.is_empty() || seen.marks[0].ends_with(unknown), "{about}: tshark says {:?}", seen.marks);
        assert_eq!(seen.from_client, *ours, "{about}");
        assert_eq!(seen.number("openwire.command"), Some(command.type_code().into()), "{about}");
        if !matches!(command, Command::WireFormatInfo(_)) {
            assert_eq!(seen.number("openwire.command.id"), Some(place), "{about}");
        }
        for (name, value) in *fields {
            assert_eq!(seen.text(&format!("openwire.{name}")), Some(*value), "{name} of {about}");
        }
    }
}
