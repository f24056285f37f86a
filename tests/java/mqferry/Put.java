package mqferry;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;

/**
 * A JMS application that puts numbered texts, persistent, on many queues in turn: each line of --plan is
 * `QUEUE FIRST COUNT SIZE`. A text is its number with 20 digits, a blank, and letters that differ from number to number.
 */
public final class Put {
    private static final int TRANSACTION = 200;

    private Put() {}

    public static void main(String[] args) throws Exception {
        Set<String> known = new HashSet<>(Client.ARGUMENTS);
        known.add("plan");
        Arguments given = new Arguments(args, Set.of(), known);
        Connection connection = Client.connect(given);
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(null);
        producer.setDeliveryMode(DeliveryMode.PERSISTENT);
        String[][] lines = Files.readAllLines(Path.of(given.get("plan", ""))).stream()
            .map(line -> line.split(" ")).toArray(String[][]::new);
        Queue[] queues = new Queue[lines.length];
        for (int line = 0; line < lines.length; line++) {
            queues[line] = session.createQueue(lines[line][0]);
        }
        long sent = 0;
        boolean more = true;
        for (long turn = 0; more; turn++) {
            more = false;
            for (int line = 0; line < lines.length; line++) {
                if (turn < Long.parseLong(lines[line][2])) {
                    more = true;
                    long number = Long.parseLong(lines[line][1]) + turn;
                    producer.send(queues[line], session.createTextMessage(text(number, Integer.parseInt(lines[line][3]))));
                    sent++;
                    if (sent % TRANSACTION == 0) {
                        session.commit();
                    }
                }
            }
        }
        session.commit();
        connection.close();
        System.out.println(sent);
        System.exit(0);
    }

    private static String text(long number, int size) {
        StringBuilder text = new StringBuilder(String.format(Locale.ROOT, "%020d ", number));
        for (int at = 0; text.length() < size; at++) {
            text.append((char) ('a' + (at + number) % 26));
        }
        return text.toString();
    }
}
