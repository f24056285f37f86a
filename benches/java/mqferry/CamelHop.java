package mqferry;

import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.component.jms.JmsComponent;
import org.apache.camel.component.jms.JmsConfiguration;
import org.apache.camel.impl.DefaultCamelContext;
import org.springframework.jms.connection.CachingConnectionFactory;

/**
 * Moves a queue from one broker to another as Camel's own documentation has it: a transacted consumer, connections
 * pooled, one message a transaction.
 *
 * <pre>java mqferry.CamelHop FROM-URL TO-URL FROM-QUEUE TO-QUEUE CONSUMERS</pre>
 *
 * Runs until it is killed.
 */
public final class CamelHop {
    private CamelHop() {}

    public static void main(String[] args) throws Exception {
        try (DefaultCamelContext camel = new DefaultCamelContext()) {
            camel.addComponent("from", component(args[0], Integer.parseInt(args[4])));
            camel.addComponent("to", component(args[1], 1));
            camel.addRoutes(new RouteBuilder() {
                @Override
                public void configure() {
                    from("from:queue:" + args[2]).to("to:queue:" + args[3]);
                }
            });
            camel.start();
            Thread.sleep(Long.MAX_VALUE);
        }
    }

    private static JmsComponent component(String url, int consumers) {
        JmsConfiguration configuration = new JmsConfiguration(new CachingConnectionFactory(new ActiveMQConnectionFactory(url)));
        configuration.setTransacted(true);
        configuration.setLazyCreateTransactionManager(false);
        configuration.setCacheLevelName("CACHE_CONSUMER");
        configuration.setConcurrentConsumers(consumers);
        return new JmsComponent(configuration);
    }
}
