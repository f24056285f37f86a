package mqferry;

import java.util.Base64;
import java.util.List;
import java.util.Map;

/** Maps, lists, strings, numbers, booleans and byte arrays (as base64) as one line of JSON. */
final class Json {
    private Json() {}

    static String line(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value);
        return out.toString();
    }

    private static void write(StringBuilder out, Object value) {
        if (value == null) {
            out.append("null");
        } else if (value instanceof Map<?, ?> map) {
            char before = '{';
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(before);
                write(out, entry.getKey().toString());
                out.append(':');
                write(out, entry.getValue());
                before = ',';
            }
            out.append(before == '{' ? "{}" : "}");
        } else if (value instanceof List<?> list) {
            char before = '[';
            for (Object item : list) {
                out.append(before);
                write(out, item);
                before = ',';
            }
            out.append(before == '[' ? "[]" : "]");
        } else if (value instanceof byte[] bytes) {
            write(out, Base64.getEncoder().encodeToString(bytes));
        } else if (isFinite(value)) {
            out.append(value);
        } else {
            string(out, value.toString());
        }
    }

    /** JSON knows no NaN and no infinities: those become strings. */
    private static boolean isFinite(Object value) {
        if (value instanceof Double || value instanceof Float) {
            return Double.isFinite(((Number) value).doubleValue());
        }
        return value instanceof Number || value instanceof Boolean;
    }

    /** Everything outside printable ASCII is escaped, so no locale or lone surrogate can spoil a line. */
    private static void string(StringBuilder out, String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
