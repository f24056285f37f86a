package mqferry;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;

/**
 * A JMS application that sends, in transactions of --batch (0: none), and prints
 * {"sent", "seconds", "per_second", "cpu_seconds", "peak_kib"}. The clock runs from the first send to the answer of the
 * last commit, after --warmup messages to the same destination; the processor time is that of the process meanwhile.
 *
 * With --record QUEUE each transaction also takes the one message from a queue and puts its successor there, as a
 * gateway does with its sync record. --senders such applications, each on a connection (and record queue QUEUE.n) of
 * its own, share the messages.
 *
 * The body is --text, or --base64 (a BytesMessage), or `message N of COUNT` filled up to --size characters.
 * --property name=type:value (string, boolean, byte, short, int, long, float, double) may be repeated.
 */
public final class Send {
    private Send() {}

    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>(Client.ARGUMENTS);
        known.addAll(Set.of("count", "warmup", "size", "batch", "text", "base64", "property", "type", "correlation-id",
            "reply-to", "group", "priority", "ttl-ms", "record", "senders"));
        Arguments given = new Arguments(args, Set.of("non-persistent", "bytes"), known);
        long count = given.number("count", 1);
        long warmup = given.number("warmup", 0);
        long batch = given.number("batch", 0);

        int senders = (int) given.number("senders", 1);
        List<Sender> all = new ArrayList<>();
        for (int place = 0; place < senders; place++) {
            all.add(new Sender(given, place, batch));
        }
        send(all, warmup / senders);
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long cpu = system.getProcessCpuTime();
        long start = System.nanoTime();
        send(all, count / senders);
        double seconds = (System.nanoTime() - start) / 1e9;
        double cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;

        long sent = count / senders * senders;
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("sent", sent);
        result.put("seconds", seconds);
        result.put("per_second", sent / seconds);
        result.put("cpu_seconds", cpuSeconds);
        result.put("peak_kib", peakKib());
        System.out.println(Json.line(result));
        for (Sender sender : all) {
            sender.connection.close();
        }
        System.exit(0);
    }

    /** Every sender sends so many, all at once; ends when all have. */
    private static void send(List<Sender> senders, long each) throws Exception {
        List<CompletableFuture<Void>> running = new ArrayList<>();
        ExecutorService threads = Executors.newFixedThreadPool(senders.size());
        for (Sender sender : senders) {
            running.add(CompletableFuture.runAsync(() -> {
                try {
                    sender.send(each);
                } catch (JMSException e) {
                    throw new CompletionException(e);
                }
            }, threads));
        }
        CompletableFuture.allOf(running.toArray(CompletableFuture[]::new)).get();
        threads.shutdown();
    }

    /** The most memory that this process ever had, as Linux tells; -1 elsewhere. */
    static long peakKib() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return -1;
        }
        return Files.readAllLines(status).stream()
            .filter(line -> line.startsWith("VmHWM:"))
            .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
            .findFirst().orElse(-1L);
    }

    private static final class Sender {
        final Connection connection;
        private final Arguments given;
        private final long batch;
        private final Map<String, Object> properties = new LinkedHashMap<>();
        private final Session session;
        private final MessageProducer producer;
        private MessageConsumer record;
        private MessageProducer successor;

        Sender(Arguments given, int place, long batch) throws JMSException {
            this.given = given;
            this.batch = batch;
            for (String property : given.all("property")) {
                addProperty(property, properties);
            }
            connection = Client.connect(given);
            connection.start();
            session = batch > 0
                ? connection.createSession(true, Session.SESSION_TRANSACTED)
                : connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            producer = session.createProducer(Client.destination(given, session));
            producer.setDeliveryMode(given.has("non-persistent") ? DeliveryMode.NON_PERSISTENT : DeliveryMode.PERSISTENT);
            producer.setPriority((int) given.number("priority", Message.DEFAULT_PRIORITY));
            producer.setTimeToLive(given.number("ttl-ms", 0));
            if (given.has("record")) {
                Queue queue = session.createQueue(given.get("record", "") + "." + place);
                successor = session.createProducer(queue);
                record = session.createConsumer(queue);
                successor.send(session.createTextMessage("record 0"));
                session.commit();
            }
        }

        void send(long count) throws JMSException {
            for (long n = 1; n <= count; n++) {
                producer.send(message(given, properties, session, n, count));
                if (batch > 0 && (n % batch == 0 || n == count)) {
                    if (record != null) {
                        if (record.receive(30_000) == null) {
                            throw new JMSException("the record does not come back");
                        }
                        successor.send(session.createTextMessage("record " + n));
                    }
                    session.commit();
                }
            }
        }
    }

    private static Message message(Arguments given, Map<String, Object> properties, Session session, long n, long count)
        throws JMSException {
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
        for (Map.Entry<String, Object> property : properties.entrySet()) {
            message.setObjectProperty(property.getKey(), property.getValue());
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

    private static void addProperty(String property, Map<String, Object> properties) throws JMSException {
        int equals = property.indexOf('=');
        int colon = property.indexOf(':', equals);
        if (equals < 1 || colon < 0) {
            throw new JMSException("--property wants name=type:value, not " + property);
        }
        String value = property.substring(colon + 1);
        properties.put(property.substring(0, equals), switch (property.substring(equals + 1, colon)) {
            case "string" -> value;
            case "boolean" -> Boolean.valueOf(value);
            case "byte" -> Byte.valueOf(value);
            case "short" -> Short.valueOf(value);
            case "int" -> Integer.valueOf(value);
            case "long" -> Long.valueOf(value);
            case "float" -> Float.valueOf(value);
            case "double" -> Double.valueOf(value);
            default -> throw new JMSException("unknown type in --property " + property);
        });
    }
}
