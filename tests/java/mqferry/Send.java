package mqferry;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageProducer;
import javax.jms.Session;

/**
 * A JMS application that sends, in transactions of --batch (0: none), and prints
 * {"sent", "seconds", "per_second"}. The clock runs from the first send to the answer of the last commit, after
 * --warmup messages to the same destination.
 *
 * The body is --text, or --base64 (a BytesMessage), or `message N of COUNT` filled up to --size characters.
 * --property name=type:value (string, boolean, byte, short, int, long, float, double) may be repeated.
 */
public final class Send {
    private Send() {}

    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>(Client.ARGUMENTS);
        known.addAll(Set.of("count", "warmup", "size", "batch", "text", "base64", "property", "type", "correlation-id",
            "reply-to", "group", "priority", "ttl-ms"));
        Arguments given = new Arguments(args, Set.of("non-persistent", "bytes"), known);
        long count = given.number("count", 1);
        long warmup = given.number("warmup", 0);
        long batch = given.number("batch", 0);

        try (Connection connection = Client.connect(given)) {
            connection.start();
            Session session = batch > 0
                ? connection.createSession(true, Session.SESSION_TRANSACTED)
                : connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageProducer producer = session.createProducer(Client.destination(given, session));
            producer.setDeliveryMode(given.has("non-persistent") ? DeliveryMode.NON_PERSISTENT : DeliveryMode.PERSISTENT);
            producer.setPriority((int) given.number("priority", Message.DEFAULT_PRIORITY));
            producer.setTimeToLive(given.number("ttl-ms", 0));

            send(given, session, producer, warmup, batch);
            long start = System.nanoTime();
            send(given, session, producer, count, batch);
            double seconds = (System.nanoTime() - start) / 1e9;

            Map<String, Object> result = new LinkedHashMap<>();
            result.put("sent", count);
            result.put("seconds", seconds);
            result.put("per_second", count / seconds);
            System.out.println(Json.line(result));
        }
        System.exit(0);
    }

    private static void send(Arguments given, Session session, MessageProducer producer, long count, long batch)
            throws JMSException {
        for (long n = 1; n <= count; n++) {
            producer.send(message(given, session, n, count));
            if (batch > 0 && (n % batch == 0 || n == count)) {
                session.commit();
            }
        }
    }

    private static Message message(Arguments given, Session session, long n, long count) throws JMSException {
        Message message;
        if (given.has("base64")) {
            BytesMessage bytes = session.createBytesMessage();
            bytes.writeBytes(Base64.getDecoder().decode(given.get("base64", "")));
            message = bytes;
        } else {
            String text = given.get("text", "message " + n + " of " + count);
            int missing = (int) given.number("size", 0) - text.length();
            text = missing > 0 ? text + " ".repeat(missing) : text;
            if (given.has("bytes")) {
                BytesMessage bytes = session.createBytesMessage();
                bytes.writeBytes(text.getBytes(StandardCharsets.UTF_8));
                message = bytes;
            } else {
                message = session.createTextMessage(text);
            }
        }
        for (String property : given.all("property")) {
            setProperty(message, property);
        }
        if (given.has("type")) {
            message.setJMSType(given.get("type", null));
        }
        if (given.has("correlation-id")) {
            message.setJMSCorrelationID(given.get("correlation-id", null));
        }
        if (given.has("reply-to")) {
            message.setJMSReplyTo(session.createQueue(given.get("reply-to", null)));
        }
        if (given.has("group")) {
            message.setStringProperty("JMSXGroupID", given.get("group", null));
        }
        return message;
    }

    private static void setProperty(Message message, String property) throws JMSException {
        int equals = property.indexOf('=');
        int colon = property.indexOf(':', equals);
        if (equals < 1 || colon < 0) {
            throw new JMSException("--property wants name=type:value, not " + property);
        }
        String name = property.substring(0, equals);
        String value = property.substring(colon + 1);
        switch (property.substring(equals + 1, colon)) {
            case "string" -> message.setStringProperty(name, value);
            case "boolean" -> message.setBooleanProperty(name, Boolean.parseBoolean(value));
            case "byte" -> message.setByteProperty(name, Byte.parseByte(value));
            case "short" -> message.setShortProperty(name, Short.parseShort(value));
            case "int" -> message.setIntProperty(name, Integer.parseInt(value));
            case "long" -> message.setLongProperty(name, Long.parseLong(value));
            case "float" -> message.setFloatProperty(name, Float.parseFloat(value));
            case "double" -> message.setDoubleProperty(name, Double.parseDouble(value));
            default -> throw new JMSException("unknown type in --property " + property);
        }
    }
}
