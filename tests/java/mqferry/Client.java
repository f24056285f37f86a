package mqferry;

import java.util.Set;
import javax.jms.Connection;
import javax.jms.ConnectionFactory;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.qpid.jms.JmsConnectionFactory;
import org.apache.qpid.jms.policy.JmsDefaultDeserializationPolicy;

/** The two JMS clients behind one door: `--client qpid` (AMQP) or `--client activemq` (OpenWire). */
final class Client {
    static final Set<String> ARGUMENTS = Set.of("client", "url", "user", "password", "client-id", "queue", "topic");

    private Client() {}

    static Connection connect(Arguments args) throws JMSException {
        String url = args.get("url", "");
        String user = args.get("user", null);
        String password = args.get("password", null);
        ConnectionFactory factory;
        switch (args.get("client", "")) {
            case "qpid" -> {
                JmsConnectionFactory qpid = new JmsConnectionFactory(url);
                JmsDefaultDeserializationPolicy policy = new JmsDefaultDeserializationPolicy();
                policy.setAllowList("java.lang,java.util,java.math");
                qpid.setDeserializationPolicy(policy);
                factory = qpid;
            }
            case "activemq" -> {
                ActiveMQConnectionFactory activemq = new ActiveMQConnectionFactory(url);
                activemq.setTrustedPackages(java.util.List.of("java.lang", "java.util", "java.math"));
                factory = activemq;
            }
            default -> throw new JMSException("--client must be qpid or activemq");
        }
        Connection connection = factory.createConnection(user, password);
        if (args.has("client-id")) {
            connection.setClientID(args.get("client-id", null));
        }
        return connection;
    }

    static Destination destination(Arguments args, Session session) throws JMSException {
        if (args.has("queue") == args.has("topic")) {
            throw new JMSException("give --queue or --topic");
        }
        return args.has("queue") ? session.createQueue(args.get("queue", "")) : session.createTopic(args.get("topic", ""));
    }
}
