package mqferry;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.activemq.broker.BrokerFactory;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.broker.TransportConnector;
import org.apache.activemq.broker.region.Destination;
import org.apache.activemq.broker.region.DestinationStatistics;
import org.apache.activemq.command.ActiveMQDestination;

/**
 * Runs an ActiveMQ broker from a configuration file, for a test that holds the other end of the pipes.
 *
 * <pre>
 * java mqferry.Broker xbean:file:activemq.xml
 * out: READY {"amqp": 40001, "openwire": 40002}     the ports the connectors got
 * in:  stats queue://Q                              out: STATS {"messages": 3, ...} or STATS null
 * in:  list                                         out: LIST ["queue://Q", ...]
 * in:  stop                                         an orderly end, status 0
 * in:  (end of file)                                the test is gone: halt at once
 * </pre>
 *
 * A standby prints READY only when it has become the active one. The log goes to standard error.
 */
public final class Broker {
    private static volatile BrokerService broker;

    private Broker() {}

    public static void main(String[] args) throws Exception {
        Thread commands = new Thread(Broker::obey, "commands");
        commands.setDaemon(true);
        commands.start();

        BrokerService service = BrokerFactory.createBroker(args[0]);
        try {
            service.start();
            service.waitUntilStarted();
        } catch (Exception e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        Map<String, Object> ports = new TreeMap<>();
        for (TransportConnector connector : service.getTransportConnectors()) {
            ports.put(connector.getName(), connector.getServer().getSocketAddress().getPort());
        }
        broker = service;
        say("READY " + Json.line(ports));
        service.waitUntilStopped();
        Runtime.getRuntime().halt(0);
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void obey() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.trim().split(" ", 2);
                switch (words[0]) {
                    case "stats" -> say("STATS " + Json.line(stats(words[1])));
                    case "list" -> say("LIST " + Json.line(list()));
                    case "stop" -> new Thread(Broker::stop, "stop").start();
                    default -> say("UNKNOWN " + line);
                }
            }
        } catch (Exception e) {
            e.printStackTrace();
        }
        Runtime.getRuntime().halt(3);
    }

    private static void stop() {
        try {
            if (broker == null) {
                Runtime.getRuntime().halt(0);
            }
            broker.stop();
        } catch (Exception e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private static Map<ActiveMQDestination, Destination> destinations() throws Exception {
        return broker == null ? Map.of() : broker.getBroker().getDestinationMap();
    }

    private static Object stats(String name) throws Exception {
        Destination destination =
            destinations().get(ActiveMQDestination.createDestination(name, ActiveMQDestination.QUEUE_TYPE));
        if (destination == null) {
            return null;
        }
        DestinationStatistics statistics = destination.getDestinationStatistics();
        Map<String, Object> counts = new LinkedHashMap<>();
        counts.put("messages", statistics.getMessages().getCount());
        counts.put("inflight", statistics.getInflight().getCount());
        counts.put("consumers", statistics.getConsumers().getCount());
        counts.put("producers", statistics.getProducers().getCount());
        counts.put("enqueues", statistics.getEnqueues().getCount());
        counts.put("dequeues", statistics.getDequeues().getCount());
        return counts;
    }

    private static Object list() throws Exception {
        return destinations().keySet().stream().map(ActiveMQDestination::getQualifiedName).sorted().toList();
    }
}
