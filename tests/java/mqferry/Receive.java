package mqferry;

import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageEOFException;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import javax.jms.Topic;

/**
 * A JMS application: receives and prints each message as one line of JSON, as `getXxx` of the JMS API show it.
 * Ends after --count messages, or when none came for --idle-ms. --heads N prints only ids and the first N
 * characters (or bytes) of the body. --browse looks without taking. READY on standard error once subscribed.
 */
@SuppressWarnings("unchecked") // the enumerations of JMS are raw
public final class Receive {
    private Receive() {}

    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>(Client.ARGUMENTS);
        known.addAll(Set.of("count", "idle-ms", "heads", "selector", "durable"));
        Arguments given = new Arguments(args, Set.of("browse"), known);
        long count = given.number("count", Long.MAX_VALUE);
        long idle = given.number("idle-ms", 5000);
        long heads = given.number("heads", -1);

        PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, "UTF-8");
        try (Connection connection = Client.connect(given)) {
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            Destination destination = Client.destination(given, session);
            String selector = given.get("selector", null);
            if (given.has("browse")) {
                var browser = session.createBrowser((Queue) destination, selector);
                connection.start();
                for (Object message : Collections.list(browser.getEnumeration())) {
                    out.println(Json.line(heads < 0 ? whole((Message) message) : head((Message) message, (int) heads)));
                }
                out.flush();
                return;
            }
            MessageConsumer consumer = given.has("durable")
                ? session.createDurableConsumer((Topic) destination, given.get("durable", ""), selector, false)
                : session.createConsumer(destination, selector);
            connection.start();
            System.err.println("READY");
            for (long n = 0; n < count; n++) {
                Message message = consumer.receive(idle);
                if (message == null) {
                    break;
                }
                out.println(Json.line(heads < 0 ? whole(message) : head(message, (int) heads)));
                if (heads < 0) {
                    out.flush();
                }
            }
            out.flush();
        }
        // the clients leave threads behind that may linger for seconds
        System.exit(0);
    }

    private static Map<String, Object> head(Message message, int most) throws JMSException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("class", jmsClass(message));
        line.put("id", message.getJMSMessageID());
        line.put("correlation_id", message.getJMSCorrelationID());
        if (message instanceof TextMessage text && text.getText() != null) {
            line.put("text", text.getText().substring(0, Math.min(most, text.getText().length())));
        } else if (message instanceof BytesMessage bytes) {
            byte[] first = new byte[(int) Math.min(most, bytes.getBodyLength())];
            if (first.length > 0) {
                bytes.readBytes(first);
            }
            line.put("base64", first);
        }
        return line;
    }

    static Map<String, Object> whole(Message message) throws JMSException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("class", jmsClass(message));
        line.put("id", message.getJMSMessageID());
        line.put("correlation_id", message.getJMSCorrelationID());
        line.put("correlation_id_base64", correlationBytes(message));
        line.put("destination", name(message.getJMSDestination()));
        line.put("reply_to", name(message.getJMSReplyTo()));
        line.put("type", message.getJMSType());
        line.put("priority", message.getJMSPriority());
        line.put("persistent", message.getJMSDeliveryMode() == DeliveryMode.PERSISTENT);
        line.put("expiration", message.getJMSExpiration());
        line.put("timestamp", message.getJMSTimestamp());
        line.put("redelivered", message.getJMSRedelivered());
        Map<String, Object> properties = new LinkedHashMap<>();
        for (Object property : Collections.list(message.getPropertyNames())) {
            properties.put((String) property, typed(message.getObjectProperty((String) property)));
        }
        // in JMS these are properties, but the two clients do not agree on listing them
        for (String property : List.of("JMSXGroupID", "JMSXGroupSeq", "JMSXUserID")) {
            if (!properties.containsKey(property) && message.getObjectProperty(property) != null) {
                properties.put(property, typed(message.getObjectProperty(property)));
            }
        }
        line.put("properties", properties);
        body(message, line);
        return line;
    }

    private static void body(Message message, Map<String, Object> line) throws JMSException {
        if (message instanceof TextMessage text) {
            line.put("text", text.getText());
        } else if (message instanceof BytesMessage bytes) {
            byte[] all = new byte[(int) bytes.getBodyLength()];
            if (all.length > 0) {
                bytes.readBytes(all);
            }
            line.put("base64", all);
        } else if (message instanceof MapMessage map) {
            List<Object> entries = new ArrayList<>();
            for (Object name : Collections.list(map.getMapNames())) {
                Map<String, Object> entry = new LinkedHashMap<>();
                entry.put("name", name);
                entry.putAll(typed(map.getObject((String) name)));
                entries.add(entry);
            }
            line.put("entries", entries);
        } else if (message instanceof StreamMessage stream) {
            List<Object> entries = new ArrayList<>();
            while (true) {
                try {
                    entries.add(typed(stream.readObject()));
                } catch (MessageEOFException end) {
                    break;
                }
            }
            line.put("entries", entries);
        } else if (message instanceof ObjectMessage object) {
            Object value = object.getObject();
            line.put("object_class", value == null ? null : value.getClass().getName());
            line.put("object", String.valueOf(value));
        }
    }

    private static String jmsClass(Message message) {
        for (Class<?> known : Arrays.asList(TextMessage.class, BytesMessage.class, MapMessage.class,
                StreamMessage.class, ObjectMessage.class)) {
            if (known.isInstance(message)) {
                return known.getSimpleName();
            }
        }
        return "Message";
    }

    /** Null where the provider cannot give bytes: some insist on a string once one was set. */
    private static byte[] correlationBytes(Message message) {
        try {
            return message.getJMSCorrelationIDAsBytes();
        } catch (JMSException e) {
            return null;
        }
    }

    private static String name(Destination destination) throws JMSException {
        if (destination instanceof Queue queue) {
            return "queue://" + queue.getQueueName();
        }
        if (destination instanceof Topic topic) {
            return "topic://" + topic.getTopicName();
        }
        return null;
    }

    private static Map<String, Object> typed(Object value) {
        String type = value == null ? "null"
            : value instanceof byte[] ? "bytes"
            : value instanceof Character ? "char"
            : value instanceof Integer ? "int"
            : value.getClass().getSimpleName().toLowerCase();
        Map<String, Object> typed = new LinkedHashMap<>();
        typed.put("type", type);
        typed.put("value", value);
        return typed;
    }
}
