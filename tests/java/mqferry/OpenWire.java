package mqferry;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.jms.Message;
import org.apache.activemq.command.*;
import org.apache.activemq.openwire.OpenWireFormat;
import org.apache.activemq.openwire.OpenWireFormatFactory;
import org.apache.activemq.util.ByteSequence;

/**
 * ActiveMQ's own marshallers, loose and without a cache. `--write` prints frames of every structure, one JSON line each:
 * a base, and for each property the same with that property alone changed, for each version 9 to 12; then messages as a
 * JMS application fills them. `--read` takes lines "VERSION HEX" from standard input and says what it reads.
 */
public final class OpenWire {
    private static final HexFormat HEX = HexFormat.of();

    private OpenWire() {}

    public static void main(String[] args) throws Exception {
        Arguments given = new Arguments(args, Set.of("write", "read"), Set.of());
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        if (given.has("write")) {
            for (int version = 9; version <= 12; version++) {
                structures(version, out);
            }
            bodies(out);
            handshake(out);
        } else {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] parts = line.split(" ");
                out.println(Json.line(read(Integer.parseInt(parts[0]), HEX.parseHex(parts[1]))));
            }
        }
        out.flush();
    }

    private static OpenWireFormat format(int version) {
        OpenWireFormat format = new OpenWireFormat(version);
        format.setCacheEnabled(false);
        format.setTightEncodingEnabled(false);
        format.setStackTraceEnabled(false);
        format.setSizePrefixDisabled(false);
        return format;
    }

    private static String hex(int version, Object command) throws Exception {
        ByteSequence bytes = format(version).marshal(command);
        return HEX.formatHex(bytes.data, bytes.offset, bytes.offset + bytes.length);
    }

    // --- every structure, one property at a time ---------------------------------------------------------------

    private static final List<Class<?>> STRUCTURES = List.of(BrokerInfo.class, ConnectionInfo.class, SessionInfo.class,
        ConsumerInfo.class, ProducerInfo.class, TransactionInfo.class, DestinationInfo.class, KeepAliveInfo.class,
        ShutdownInfo.class, RemoveInfo.class, ControlCommand.class, FlushCommand.class, ConnectionError.class,
        ConsumerControl.class, ConnectionControl.class, ProducerAck.class, MessagePull.class, MessageDispatch.class,
        MessageAck.class, ActiveMQMessage.class, ActiveMQBytesMessage.class, ActiveMQMapMessage.class,
        ActiveMQObjectMessage.class, ActiveMQStreamMessage.class, ActiveMQTextMessage.class, ActiveMQBlobMessage.class,
        Response.class, ExceptionResponse.class, DataResponse.class, DataArrayResponse.class, IntegerResponse.class);

    private static void structures(int version, PrintStream out) throws Exception {
        for (Class<?> type : STRUCTURES) {
            String base = hex(version, filled(type, null));
            print(out, version, type, null, base);
            for (Method setter : setters(type)) {
                String varied = hex(version, filled(type, setter));
                // what does not change the newest version's bytes is no field, but the client's own note
                if (!hex(12, filled(type, setter)).equals(hex(12, filled(type, null)))) {
                    print(out, version, type, setter, varied);
                }
            }
        }
    }

    private static void print(PrintStream out, int version, Class<?> type, Method setter, String hex) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("version", version);
        line.put("structure", type.getSimpleName());
        line.put("property", setter == null ? "" : setter.getName().substring(3));
        line.put("type", setter == null ? "" : setter.getParameterTypes()[0].getSimpleName());
        line.put("hex", hex);
        out.println(Json.line(line));
    }

    /** With every property at its base value but one, which has another. */
    private static Object filled(Class<?> type, Method varied) throws Exception {
        Object structure = type.getConstructor().newInstance();
        for (Method setter : setters(type)) {
            boolean other = varied != null && setter.getName().equals(varied.getName());
            setter.invoke(structure, value(setter.getParameterTypes()[0], other));
        }
        return structure;
    }

    private static List<Method> setters(Class<?> type) {
        return Arrays.stream(type.getMethods())
            .filter(method -> method.getName().startsWith("set") && method.getParameterCount() == 1)
            // other names of a field that has one, and things that are not on the wire
            .filter(method -> !method.getName()
                .matches("setJMS(?!XGroupFirst).*|setRedelivered|setMessageID|setText|setReadOnly.*|setPassiveSlave|set.*Property"))
            .filter(method -> value(method.getParameterTypes()[0], false) != null)
            .sorted(Comparator.comparing(Method::getName))
            .toList();
    }

    /** The base value of a type, or the other one; null for types that no field has. */
    private static Object value(Class<?> type, boolean other) {
        if (type == boolean.class) {
            return other;
        } else if (type == byte.class) {
            return (byte) (other ? 4 : 3);
        } else if (type == int.class) {
            return other ? -70_001 : 1000;
        } else if (type == long.class) {
            return other ? -2L : 5_000_000_000L;
        } else if (type == String.class) {
            return other ? "other \0 \u00e9 \u20ac \ud83d\ude00" : "base";
        } else if (type == byte[].class) {
            return other ? new byte[] {0, -1, 3} : new byte[] {1};
        } else if (type == ByteSequence.class) {
            return new ByteSequence((byte[]) value(byte[].class, other));
        } else if (type == ConnectionId.class) {
            return new ConnectionId(other ? "other" : "base");
        } else if (type == SessionId.class) {
            return new SessionId((ConnectionId) value(ConnectionId.class, other), 7);
        } else if (type == ConsumerId.class) {
            return new ConsumerId((SessionId) value(SessionId.class, other), 8);
        } else if (type == ProducerId.class) {
            return new ProducerId((SessionId) value(SessionId.class, other), 9);
        } else if (type == BrokerId.class) {
            return new BrokerId(other ? "other" : "base");
        } else if (type == MessageId.class) {
            MessageId id = new MessageId((ProducerId) value(ProducerId.class, other), 10);
            id.setBrokerSequenceId(11);
            id.setTextView(other ? "ID:other" : null);
            return id;
        } else if (type == TransactionId.class) {
            return other ? xa() : new LocalTransactionId((ConnectionId) value(ConnectionId.class, false), 12);
        } else if (type == ActiveMQDestination.class) {
            return other ? new ActiveMQTempTopic("conn:1") : new ActiveMQQueue("BASE");
        } else if (type == DataStructure.class) {
            return other ? new ActiveMQTempQueue("conn:2") : value(ConsumerId.class, false);
        } else if (type == Throwable.class) {
            return other ? new SecurityException("User is not authorised") : new IllegalStateException("no");
        } else if (type == org.apache.activemq.command.Message.class) {
            ActiveMQTextMessage message = new ActiveMQTextMessage();
            message.setDestination(new ActiveMQTopic(other ? "OTHER" : "BASE"));
            return message;
        } else if (type == BrokerInfo[].class) {
            BrokerInfo peer = new BrokerInfo();
            peer.setBrokerName(other ? "other" : "base");
            return new BrokerInfo[] {peer, peer};
        } else if (type.isArray() && DataStructure.class.isAssignableFrom(type.getComponentType())) {
            Object array = Array.newInstance(type.getComponentType(), 1);
            Array.set(array, 0, value(type.getComponentType(), other));
            return array;
        }
        return null;
    }

    private static XATransactionId xa() {
        XATransactionId id = new XATransactionId();
        id.setFormatId(99);
        id.setGlobalTransactionId(new byte[] {1, 2});
        id.setBranchQualifier(new byte[] {3});
        return id;
    }

    // --- messages as applications fill them -------------------------------------------------------------------

    /** The client spoils others when it reads them back from properties and maps. */
    private static final String NARROW = "a\u00e9\u20acz";
    private static final String WIDE = "a\0\u00e9\u20ac\ud83d\ude00z";

    private static void bodies(PrintStream out) throws Exception {
        for (boolean compressed : new boolean[] {false, true}) {
            int number = 0;
            for (ActiveMQMessage message : applicationMessages()) {
                message.setJMSMessageID("ID:414d5120514d36202020202020202020a1b2c3d4e5f60708");
                message.setJMSDestination(new ActiveMQQueue("ORDERS"));
                message.onSend();
                if (compressed) {
                    message.compress();
                }
                print(out, message, (number++) + (compressed ? " compressed" : ""));
            }
        }
    }

    private static List<ActiveMQMessage> applicationMessages() throws Exception {
        ActiveMQMessage plain = new ActiveMQMessage();
        plain.setBooleanProperty("bool", true);
        plain.setByteProperty("byte", (byte) -128);
        plain.setShortProperty("short", (short) -32768);
        plain.setIntProperty("int", Integer.MIN_VALUE);
        plain.setLongProperty("long", Long.MIN_VALUE);
        plain.setFloatProperty("float", 1.5f);
        plain.setDoubleProperty("double", -0.1);
        plain.setStringProperty("string", NARROW);
        plain.setStringProperty("empty", "");
        plain.setObjectProperty("null", null);
        plain.setStringProperty("just_short", "x".repeat(8190));
        plain.setStringProperty("just_long", "x".repeat(8191));
        plain.setStringProperty("long_string", "\u20ac".repeat(70_000));
        plain.setJMSType("type");
        plain.setJMSCorrelationID("ID:00");
        plain.setJMSReplyTo(new ActiveMQTempQueue("conn:1"));
        plain.setJMSPriority(9);
        plain.setJMSExpiration(4_102_444_800_000L);
        plain.setJMSTimestamp(1_034_148_883_000L);
        plain.setStringProperty("JMSXGroupID", "group");
        plain.setIntProperty("JMSXGroupSeq", -1);
        plain.setUserID("fred");

        ActiveMQTextMessage text = new ActiveMQTextMessage();
        text.setText(WIDE);
        ActiveMQTextMessage big = new ActiveMQTextMessage();
        big.setText(WIDE.repeat(20_000));
        ActiveMQTextMessage none = new ActiveMQTextMessage();
        ActiveMQTextMessage empty = new ActiveMQTextMessage();
        empty.setText("");

        ActiveMQBytesMessage bytes = new ActiveMQBytesMessage();
        bytes.writeBytes(new byte[] {0, 1, -1, 127, -128});
        ActiveMQBytesMessage noBytes = new ActiveMQBytesMessage();

        ActiveMQMapMessage map = new ActiveMQMapMessage();
        map.setBoolean("bool", false);
        map.setByte("byte", (byte) 1);
        map.setShort("short", (short) 2);
        map.setChar("char", '\u20ac');
        map.setInt("int", 3);
        map.setLong("long", 4);
        map.setFloat("float", 5.5f);
        map.setDouble("double", 6.25);
        map.setString("string", NARROW);
        map.setString("long", "y".repeat(9000));
        map.setBytes("bytes", new byte[] {9, 8});
        map.setObject("null", null);
        ActiveMQMapMessage noMap = new ActiveMQMapMessage();

        ActiveMQStreamMessage stream = new ActiveMQStreamMessage();
        stream.writeBoolean(true);
        stream.writeByte((byte) -1);
        stream.writeShort((short) -2);
        stream.writeChar('\u20ac');
        stream.writeInt(-3);
        stream.writeLong(-4);
        stream.writeFloat(-5.5f);
        stream.writeDouble(-6.25);
        stream.writeString(WIDE);
        stream.writeString("z".repeat(9000));
        stream.writeBytes(new byte[] {7});
        stream.writeObject(null);

        ActiveMQObjectMessage object = new ActiveMQObjectMessage();
        object.setObject("serialised");
        return List.of(plain, text, big, none, empty, bytes, noBytes, map, noMap, stream, object);
    }

    private static void print(PrintStream out, ActiveMQMessage message, String name) throws Exception {
        String hex = hex(12, message);
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("body", name);
        line.put("hex", hex);
        line.put("message", Receive.whole(readable(hex, 12)));
        out.println(Json.line(line));
    }

    private static Message readable(String hex, int version) throws Exception {
        ActiveMQMessage message = (ActiveMQMessage) unmarshal(version, HEX.parseHex(hex));
        message.setReadOnlyBody(true);
        message.setReadOnlyProperties(true);
        if (message instanceof ActiveMQObjectMessage object) {
            object.setTrustAllPackages(true);
        }
        return message;
    }

    private static Object unmarshal(int version, byte[] frame) throws Exception {
        return format(version).unmarshal(new ByteSequence(frame));
    }

    // --- the handshake -----------------------------------------------------------------------------------------

    /** What the Java client would offer, and what a broker that wants little does. */
    private static void handshake(PrintStream out) throws Exception {
        OpenWireFormatFactory factory = new OpenWireFormatFactory();
        factory.setMaxInactivityDuration(1234);
        factory.setHost("broker");
        factory.setProviderName("ActiveMQ");
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("handshake", "java");
        line.put("hex", hex(12, ((OpenWireFormat) factory.createWireFormat()).getPreferedWireFormatInfo()));
        out.println(Json.line(line));
    }

    // --- reading what was written elsewhere --------------------------------------------------------------------

    private static Map<String, Object> read(int version, byte[] frame) throws Exception {
        Object command = unmarshal(version, frame);
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("structure", command.getClass().getSimpleName());
        line.put("again", hex(version, command));
        if (command instanceof WireFormatInfo theirs) {
            OpenWireFormat format = (OpenWireFormat) new OpenWireFormatFactory().createWireFormat();
            format.renegotiateWireFormat(theirs);
            line.put("version", format.getVersion());
            line.put("tight", format.isTightEncodingEnabled());
            line.put("cache", format.isCacheEnabled());
            line.put("stack_traces", format.isStackTraceEnabled());
            line.put("no_sizes", format.isSizePrefixDisabled());
            line.put("inactivity", theirs.getMaxInactivityDuration());
            line.put("initial_delay", theirs.getMaxInactivityDurationInitalDelay());
            line.put("frame", theirs.getMaxFrameSize());
            line.put("host", theirs.getHost());
        } else if (command instanceof ActiveMQMessage) {
            line.put("message", Receive.whole(readable(HEX.formatHex(frame), version)));
        }
        return line;
    }
}
