package mqferry;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageEOFException;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;

/**
 * A JMS application that receives --count messages, prints each as `Receive` does, and sends it on in four forms, each to
 * the queue that its --property-of-queue names, behind another prefix:
 *
 * MQ.FWD.   the Message object that was received
 * MQ.CPY.   a new message of the same kind: body, properties, correlation id, type and reply address copied
 * MQ.CHG.   such a copy with one property more, relayed = 7
 * MQ.APP.   such a copy with " AND MORE" at the end of its body; of texts and bytes only
 *
 * Priority, delivery mode and what is left of the lifetime go with each. All in one transaction.
 */
@SuppressWarnings("unchecked") // the enumerations of JMS are raw
public final class Relay {
    private Relay() {}

    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>(Client.ARGUMENTS);
        known.addAll(Set.of("count", "idle-ms", "property-of-queue"));
        Arguments given = new Arguments(args, Set.of(), known);
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        try (Connection connection = Client.connect(given)) {
            Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
            MessageConsumer consumer = session.createConsumer(Client.destination(given, session));
            MessageProducer producer = session.createProducer(null);
            connection.start();
            for (long n = given.number("count", 1); n > 0; n--) {
                Message message = consumer.receive(given.number("idle-ms", 30_000));
                if (message == null) {
                    break;
                }
                Map<String, Object> line = Receive.whole(message);
                String queue = message.getStringProperty(given.get("property-of-queue", ""));
                List<String> leftOut = new ArrayList<>();
                Message copy = copy(session, message, leftOut, "");
                Message changed = copy(session, message, new ArrayList<>(), "");
                changed.setIntProperty("relayed", 7);
                send(session, producer, "MQ.CPY." + queue, copy, message);
                send(session, producer, "MQ.CHG." + queue, changed, message);
                if (message instanceof TextMessage || message instanceof BytesMessage) {
                    Message more = copy(session, message, new ArrayList<>(), " AND MORE");
                    send(session, producer, "MQ.APP." + queue, more, message);
                }
                rewind(message);
                send(session, producer, "MQ.FWD." + queue, message, message);
                line.put("left_out", leftOut);
                out.println(Json.line(line));
            }
            session.commit();
        }
        System.exit(0);
    }

    private static void send(Session session, MessageProducer producer, String queue, Message message, Message was)
            throws JMSException {
        int mode = was.getJMSDeliveryMode();
        int priority = was.getJMSPriority();
        long left = was.getJMSExpiration() == 0 ? 0 : Math.max(1, was.getJMSExpiration() - System.currentTimeMillis());
        producer.send(session.createQueue(queue), message, mode, priority, left);
    }

    private static void rewind(Message message) throws JMSException {
        if (message instanceof BytesMessage bytes) {
            bytes.reset();
        } else if (message instanceof StreamMessage stream) {
            stream.reset();
        }
    }

    private static Message copy(Session session, Message message, List<String> leftOut, String more) throws JMSException {
        Message copy = body(session, message, more);
        for (Object property : Collections.list(message.getPropertyNames())) {
            String name = (String) property;
            // what providers set themselves
            if (name.startsWith("JMSX") && !Set.of("JMSXGroupID", "JMSXGroupSeq", "JMSXAppID").contains(name)) {
                continue;
            }
            try {
                copy.setObjectProperty(name, message.getObjectProperty(name));
            } catch (JMSException | IllegalArgumentException refused) {
                leftOut.add(name);
            }
        }
        for (String name : List.of("JMSXGroupID", "JMSXGroupSeq")) {
            if (message.getObjectProperty(name) != null) {
                copy.setObjectProperty(name, message.getObjectProperty(name));
            }
        }
        copy.setJMSCorrelationID(message.getJMSCorrelationID());
        copy.setJMSType(message.getJMSType());
        copy.setJMSReplyTo(message.getJMSReplyTo());
        return copy;
    }

    private static Message body(Session session, Message message, String more) throws JMSException {
        rewind(message);
        if (message instanceof TextMessage text) {
            boolean isNull = text.getText() == null;
            return session.createTextMessage(isNull && more.isEmpty() ? null : (isNull ? "" : text.getText()) + more);
        }
        if (message instanceof BytesMessage bytes) {
            byte[] all = new byte[(int) bytes.getBodyLength()];
            if (all.length > 0) {
                bytes.readBytes(all);
            }
            BytesMessage copy = session.createBytesMessage();
            copy.writeBytes(all);
            copy.writeBytes(more.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            return copy;
        }
        if (message instanceof MapMessage map) {
            MapMessage copy = session.createMapMessage();
            for (Object name : Collections.list(map.getMapNames())) {
                copy.setObject((String) name, map.getObject((String) name));
            }
            return copy;
        }
        if (message instanceof StreamMessage stream) {
            StreamMessage copy = session.createStreamMessage();
            while (true) {
                try {
                    copy.writeObject(stream.readObject());
                } catch (MessageEOFException end) {
                    return copy;
                }
            }
        }
        if (message instanceof ObjectMessage object) {
            return session.createObjectMessage(object.getObject());
        }
        return session.createMessage();
    }
}
