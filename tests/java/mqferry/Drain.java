package mqferry;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;

/**
 * A JMS application that takes messages off a queue, one commit every --batch, and prints
 * {"received", "seconds", "per_second", "cpu_seconds", "peak_kib"}. The clock runs from the answer of the last commit of
 * --warmup messages to that of --count more; the processor time is that of the process meanwhile.
 *
 * With --record QUEUE each transaction also takes the one message from a queue and puts its successor there, as a
 * gateway does with its record.
 */
public final class Drain {
    private final Session session;
    private final MessageConsumer consumer;
    private final long batch;
    private MessageConsumer record;
    private MessageProducer successor;

    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>(Client.ARGUMENTS);
        known.addAll(Set.of("count", "warmup", "batch", "record"));
        Arguments given = new Arguments(args, Set.of(), known);
        long count = given.number("count", 1);
        try (Connection connection = Client.connect(given)) {
            connection.start();
            Drain drain = new Drain(given, connection);
            drain.take(given.number("warmup", 0));
            OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            long cpu = system.getProcessCpuTime();
            long start = System.nanoTime();
            drain.take(count);
            double seconds = (System.nanoTime() - start) / 1e9;
            double cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;

            Map<String, Object> result = new LinkedHashMap<>();
            result.put("received", count);
            result.put("seconds", seconds);
            result.put("per_second", count / seconds);
            result.put("cpu_seconds", cpuSeconds);
            result.put("peak_kib", Send.peakKib());
            System.out.println(Json.line(result));
            System.out.flush();
        }
        System.exit(0);
    }

    private Drain(Arguments given, Connection connection) throws JMSException {
        batch = given.number("batch", 1);
        session = connection.createSession(true, Session.SESSION_TRANSACTED);
        if (given.has("record")) {
            Queue queue = session.createQueue(given.get("record", ""));
            successor = session.createProducer(queue);
            record = session.createConsumer(queue);
            successor.send(session.createTextMessage("record 0"));
            session.commit();
        }
        consumer = session.createConsumer(Client.destination(given, session));
    }

    private void take(long count) throws JMSException {
        for (long n = 1; n <= count; n++) {
            if (consumer.receive(30_000) == null) {
                throw new JMSException("nothing came for 30 s after " + (n - 1) + " messages");
            }
            if (n % batch == 0 || n == count) {
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
