package mqferry;

import java.util.Set;
import javax.jms.Connection;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQQueue;

/** Removes a queue with all that lies on it: `--queue`, over OpenWire. */
public final class Remove {
    private Remove() {}

    public static void main(String[] args) throws Exception {
        Arguments given = new Arguments(args, Set.of(), Client.ARGUMENTS);
        Connection connection = Client.connect(given);
        try {
            connection.start();
            ((ActiveMQConnection) connection).destroyDestination(new ActiveMQQueue(given.get("queue", "")));
        } finally {
            connection.close();
        }
    }
}
